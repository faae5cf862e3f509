/** What identifies results; see load.h. */
#include <openssl/evp.h>
#include <stdio.h>

#include "io/output/load.h"

ncc_status ncc_output_data_digest(const ncc_output_data *data, char text[65]) {
  ncc_status status = NCC_OK;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  const size_t n = (size_t)data->n_pairs;
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  text[0] = '\0';
  NCC_CHECK(context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, data->coords, n * sizeof *data->coords) == 1 &&
                EVP_DigestUpdate(context, data->peaks, n * sizeof *data->peaks) == 1 &&
                EVP_DigestUpdate(context, data->status, n * sizeof *data->status) == 1 &&
                EVP_DigestFinal_ex(context, digest, &length) == 1,
            NCC_ERR_NOMEM, "no memory for a digest of %zu rows", n);
  for (unsigned i = 0; i < length && i < 32; i++) snprintf(text + 2 * i, 3, "%02x", digest[i]);
cleanup:
  EVP_MD_CTX_free(context);
  return status;
}
