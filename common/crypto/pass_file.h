/*
 * The file of pass keys while a program runs: read again whenever it has changed, so that
 * keys are rotated without a restart. Not for several threads at once; each has its own.
 */
#ifndef ONRUSH_CRYPTO_PASS_FILE_H
#define ONRUSH_CRYPTO_PASS_FILE_H

#include "crypto/pass.h"

struct pass_file;

/* Reads the file. NULL, with a sentence in err[err_size], when it has no keys to use; the
 * caller owns the result. */
struct pass_file *pass_file_open(const char *path, char *err, size_t err_size);
void pass_file_free(struct pass_file *file); /* NULL is fine */

/* The keys in force; borrowed until pass_file_look says PASS_FILE_CHANGED. */
const struct pass_keys *pass_file_keys(const struct pass_file *file);

enum pass_file_news {
	PASS_FILE_SAME,
	PASS_FILE_CHANGED, /* there are new keys */
	PASS_FILE_BROKEN, /* it has changed to what cannot be used: the old keys stay, and
			   * err[err_size] has a sentence; said once for each change */
};

/* Looks whether the file has changed since the last look: one stat(2). */
enum pass_file_news
pass_file_look(struct pass_file *file, char *err, size_t err_size) MUST_USE;

#endif
