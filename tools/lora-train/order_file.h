/* order_file.h - reads --order: record ids, one a line, in the order they are to be used. */
#ifndef ORDER_FILE_H
#define ORDER_FILE_H

#include "train_records.h"

/* *USE = positions in TRAIN, *N of them; the caller frees it. DIGEST is that of the file. EXIT_DATA names
 * the line whose id is not a number, not there, or the id of several records. */
MUST_USE int order_file_read(int64_t **use, int64_t *n, const char *path,
                             const struct train_set *train, uint8_t digest[SHA256_BYTES]);

#endif
