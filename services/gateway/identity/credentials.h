/*
 * The files that say whom the gateway believes: the keys of tokens (http/jwks.h) and the
 * API keys (api_keys.h). Loaded at the start, and again on SIGHUP; what is not right is
 * refused, both files together, and the old ones stay in force. Workers look at the
 * version now and then and take the new ones over.
 *
 *   SIGHUP ──> credentials (immutable, counted) <──take── each worker's identity
 */
#ifndef ONRUSH_GATEWAY_IDENTITY_CREDENTIALS_H
#define ONRUSH_GATEWAY_IDENTITY_CREDENTIALS_H

#include <stdatomic.h>

#include "gateway/identity/api_keys.h"
#include "http/jwks.h"

struct credentials {
	atomic_int owners;
	struct jwks *tokens;       /* owned */
	struct api_keys *api_keys; /* owned; none when there is no such file */
};

/* Of the settings; borrowed until credentials_stop. */
struct credentials_paths {
	const char *jwks;
	const char *api_keys; /* "": nobody has one */
};

/* Are the files in order? For --check. False with a sentence in err[err_size]. */
bool credentials_check(const struct credentials_paths *paths, char *err, size_t err_size);

/* Loads them; false with an error logged. */
bool credentials_start(const struct credentials_paths *paths);
/* Loads them again, if credentials_start did; says in the log what became of it. */
void credentials_reload(void);
/* After the workers have ended. */
void credentials_stop(void);

/* Changes with them; 0: there are none. Any thread, cheap. */
uint64_t credentials_version(void);
/* Those in force and their version; the caller has them. Any thread. */
struct credentials *credentials_take(uint64_t *version);
void credentials_put(struct credentials *c); /* NULL is fine */

#endif
