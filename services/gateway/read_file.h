/* Whole small files, for the files that the settings name. */
#ifndef ONRUSH_GATEWAY_READ_FILE_H
#define ONRUSH_GATEWAY_READ_FILE_H

#include <stddef.h>

/* The file's bytes, which the caller frees, and their number in *size. NULL with a
 * sentence in err[err_size] when it cannot be read or has more than `max` bytes. */
char *read_file(const char *path, size_t max, size_t *size, char *err, size_t err_size);

#endif
