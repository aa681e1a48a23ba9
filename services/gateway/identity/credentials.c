#include "gateway/identity/credentials.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "app/log.h"
#include "app/metrics.h"
#include "gateway/read_file.h"

enum {
	ERR_SIZE = 1024
};

static struct credentials_paths paths;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct credentials *current;      /* had; guarded by mutex */
static atomic_uint_fast64_t version;     /* changed under the mutex */
static struct counter *loaded, *refused; /* for ever */

/* --- the files -----------------------------------------------------------------------
 */

static struct jwks *
load_tokens(const char *path, char *err, size_t err_size)
{
	struct jwks *keys;
	char why[ERR_SIZE], *text;
	size_t size;

	if (path[0] == '\0') {
		snprintf(err, err_size,
		    "ONRUSH_JWKS is not set: name the file with the keys of tokens, or "
		    "set ONRUSH_IDENTITY=off to believe everybody");
		return NULL;
	}
	text = read_file(path, JWKS_SIZE, &size, err, err_size);
	if (text == NULL)
		return NULL;
	keys = jwks_parse((str){ text, size }, why, sizeof(why));
	free(text);
	if (keys == NULL)
		snprintf(err, err_size, "%s: %s", path, why);
	return keys;
}

static struct api_keys *
load_api_keys(const char *path, char *err, size_t err_size)
{
	struct api_keys *keys;
	char why[ERR_SIZE], *text;
	size_t size;

	if (path[0] == '\0')
		return api_keys_parse(STR_NULL, err, err_size);
	text = read_file(path, API_KEYS_SIZE, &size, err, err_size);
	if (text == NULL)
		return NULL;
	keys = api_keys_parse((str){ text, size }, why, sizeof(why));
	free(text);
	if (keys == NULL)
		snprintf(err, err_size, "%s, %s", path, why);
	return keys;
}

/* The caller has the result; NULL with a sentence. */
static struct credentials *
load(const struct credentials_paths *from, char *err, size_t err_size)
{
	struct credentials *c = xcalloc(1, sizeof(*c));

	c->owners = 1;
	c->tokens = load_tokens(from->jwks, err, err_size);
	if (c->tokens != NULL)
		c->api_keys = load_api_keys(from->api_keys, err, err_size);
	if (c->api_keys != NULL)
		return c;
	credentials_put(c);
	return NULL;
}

bool
credentials_check(const struct credentials_paths *from, char *err, size_t err_size)
{
	struct credentials *c = load(from, err, err_size);

	credentials_put(c);
	return c != NULL;
}

/* --- in force ------------------------------------------------------------------------
 */

/* Called by one thread at a time: the main thread, then the supervisor. */
static bool
replace(char *err, size_t err_size)
{
	struct credentials *c = load(&paths, err, err_size), *before;

	if (c == NULL)
		return false;
	pthread_mutex_lock(&mutex);
	before = current;
	current = c;
	atomic_fetch_add(&version, 1);
	pthread_mutex_unlock(&mutex);
	credentials_put(before);
	return true;
}

bool
credentials_start(const struct credentials_paths *from)
{
	static const char name[] = "onrush_gateway_credentials_reloads_total";
	static const char help[] = "How often the files of keys were loaded again.";
	char err[ERR_SIZE];

	paths = *from;
	loaded = counter_new(name, help, "result=\"taken\"");
	refused = counter_new(name, help, "result=\"refused\"");
	if (replace(err, sizeof(err)))
		return true;
	log_error("the files of keys cannot be used: %s", err);
	return false;
}

void
credentials_reload(void)
{
	char err[ERR_SIZE];

	if (current == NULL)
		return;
	if (replace(err, sizeof(err))) {
		counter_add(loaded, 1);
		log_info("new credentials: %zu keys of tokens, %zu API keys",
		    jwks_count(current->tokens), api_keys_count(current->api_keys));
	} else {
		counter_add(refused, 1);
		log_error(
		    "the new files of keys are refused, the old ones stay: %s", err);
	}
}

void
credentials_stop(void)
{
	credentials_put(current);
	current = NULL;
}

uint64_t
credentials_version(void)
{
	return atomic_load(&version);
}

struct credentials *
credentials_take(uint64_t *of)
{
	struct credentials *c;

	pthread_mutex_lock(&mutex);
	c = current;
	atomic_fetch_add(&c->owners, 1);
	*of = atomic_load(&version);
	pthread_mutex_unlock(&mutex);
	return c;
}

void
credentials_put(struct credentials *c)
{
	if (c == NULL || atomic_fetch_sub(&c->owners, 1) != 1)
		return;
	jwks_free(c->tokens);
	api_keys_free(c->api_keys);
	free(c);
}
