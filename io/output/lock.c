/** See output_lock.h. Open-file-description locks: they work between processes, between the nodes of most shared file
 *  systems, and within one process too. */
#include "io/output/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

/** "another run (process 12 on node7)", from what the holder wrote. */
static ncc_status refuse(const char *path, int fd) {
  char holder[128] = "";
  ssize_t n = pread(fd, holder, sizeof holder - 1, 0);
  holder[n > 0 ? n : 0] = '\0';
  holder[strcspn(holder, "\n")] = '\0';
  return ncc_error_set(NCC_ERR_OUTPUT, "%.*s: in use by another run%s%s%s", (int)(strlen(path) - strlen(".lock")), path,
                       holder[0] ? " (" : "", holder, holder[0] ? ")" : "");
}

ncc_status ncc_output_lock(const char *path, int *fd) {
  ncc_status status = NCC_OK;
  for (;;) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat opened, named;
    *fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
    NCC_CHECK(*fd >= 0, NCC_ERR_OUTPUT, "%s: cannot be created: %s", path, strerror(errno));
    if (fcntl(*fd, F_OFD_SETLK, &lock) != 0) {
      if (errno == EAGAIN || errno == EACCES) {
        status = refuse(path, *fd);
        goto cleanup;
      }
      fprintf(stderr,
              "mpixcorr: warning: %s: this file system has no locks (%s); do not start two runs on one output\n",
              ncc_text_show(path), strerror(errno));
    }
    // The last holder may have removed the file between our open and our lock.
    if (fstat(*fd, &opened) == 0 && stat(path, &named) == 0 && opened.st_ino == named.st_ino &&
        opened.st_dev == named.st_dev) {
      break;
    }
    close(*fd);
  }
  char host[64] = "", text[128];
  gethostname(host, sizeof host - 1);
  int n = snprintf(text, sizeof text, "process %ld on %s\n", (long)getpid(), host);
  // For the message alone; the lock does not depend on it.
  if (ftruncate(*fd, 0) != 0 || pwrite(*fd, text, (size_t)n, 0) != n) errno = 0;
cleanup:
  if (status != NCC_OK && *fd >= 0) {
    close(*fd);
    *fd = -1;
  }
  return status;
}

void ncc_output_unlock(const char *path, int *fd) {
  if (*fd < 0) return;
  unlink(path);
  close(*fd);
  *fd = -1;
}

ncc_status ncc_output_lock_probe(const char *path) {
  ncc_status status = NCC_OK;
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return NCC_OK;
  if (fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK) status = refuse(path, fd);
  close(fd);
  return status;
}
