/** Opening a volume by what lies there. Private to io/volume. */
#ifndef NCC_VOLUME_OPEN_H
#define NCC_VOLUME_OPEN_H

#include "io/volume/format.h"

/** @param[in] path  without an index. @return as ncc_volumes_look(). */
ncc_status ncc_volume_open(const char *path, ncc_volume **out);

/** Accepts NULL. */
void ncc_volume_close(ncc_volume **volume);

#endif
