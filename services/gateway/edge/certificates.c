#include "gateway/edge/certificates.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "app/metrics.h"
#include "base/clock.h"

enum {
	CERTIFICATES_MAX = 64,
	ERR_SIZE = 1024,
	DAY = 24 * 3600,
	WARN_DAYS = 14,
};

/* What the settings say, cut into pieces. */
struct list {
	char *text;                    /* owned; the bytes of what follows */
	char *items[CERTIFICATES_MAX]; /* borrowed from text */
	size_t count;
};

static const struct certificates_settings *settings; /* borrowed */
static struct list certs, keys;                      /* owned, for the process's life */
static struct gauge *expires[CERTIFICATES_MAX];      /* for ever */
static struct counter *taken, *refused;              /* for ever */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct tls *current;          /* had; guarded by mutex */
static atomic_uint_fast64_t version; /* changed under the mutex */

/* --- the settings --------------------------------------------------------------------
 */

static void
list_free(struct list *list)
{
	free(list->text);
	*list = (struct list){ 0 };
}

static bool
list_read(
    struct list *list, const char *setting, const char *text, char *err, size_t err_size)
{
	str rest = str_of(text), item;

	list_free(list);
	list->text = xcalloc(1, 2 * rest.n + 2);
	for (char *to = list->text; rest.p != NULL && rest.n > 0; to += item.n + 1) {
		rest = str_cut(rest, ',', &item);
		item = str_trim(item);
		if (item.n == 0 || list->count == CERTIFICATES_MAX) {
			snprintf(err, err_size, "%s: takes 1 to %d file names, by commas",
			    setting, CERTIFICATES_MAX);
			return false;
		}
		memcpy(to, item.p, item.n);
		list->items[list->count++] = to;
	}
	return true;
}

static bool
read_settings(const struct certificates_settings *s, char *err, size_t err_size)
{
	if (!list_read(&certs, "ONRUSH_TLS_CERT", s->certs, err, err_size) ||
	    !list_read(&keys, "ONRUSH_TLS_KEY", s->keys, err, err_size))
		return false;
	if (certs.count == 0 || certs.count != keys.count) {
		snprintf(err, err_size,
		    "ONRUSH_TLS_LISTEN needs ONRUSH_TLS_CERT and ONRUSH_TLS_KEY with as "
		    "many files in each; there are %zu and %zu",
		    certs.count, keys.count);
		return false;
	}
	if (strcmp(s->min_version, "1.2") != 0 && strcmp(s->min_version, "1.3") != 0) {
		snprintf(err, err_size, "ONRUSH_TLS_MIN=%s: must be 1.2 or 1.3",
		    s->min_version);
		return false;
	}
	return true;
}

static struct tls *
load(const struct certificates_settings *s, char *err, size_t err_size)
{
	struct tls_pair pairs[CERTIFICATES_MAX];
	const struct tls_conf conf = {
		.pairs = pairs,
		.count = certs.count,
		.only_13 = strcmp(s->min_version, "1.3") == 0,
		.h2 = s->opening.http2,
	};

	for (size_t i = 0; i < certs.count; i++)
		pairs[i] = (struct tls_pair){ certs.items[i], keys.items[i] };
	return tls_new(&conf, err, err_size);
}

bool
certificates_check(const struct certificates_settings *s, char *err, size_t err_size)
{
	struct tls *tls;

	if (s->opening.tls_listen[0] == '\0')
		return true;
	tls = read_settings(s, err, err_size) ? load(s, err, err_size) : NULL;
	tls_put(tls);
	list_free(&certs);
	list_free(&keys);
	return tls != NULL;
}

/* --- in force ------------------------------------------------------------------------
 */

/* Called by one thread at a time: the main thread, then the supervisor. */
static bool
replace(char *err, size_t err_size)
{
	struct tls *tls = load(settings, err, err_size), *before = current;

	if (tls == NULL)
		return false;
	for (size_t i = 0; i < certs.count; i++)
		gauge_set(expires[i], tls_expires(tls, i));
	pthread_mutex_lock(&mutex);
	current = tls;
	atomic_fetch_add(&version, 1);
	pthread_mutex_unlock(&mutex);
	tls_put(before);
	return true;
}

static void
register_metrics(void)
{
	static const char name[] = "onrush_gateway_certificate_reloads_total";
	static const char help[] = "How often the certificates were loaded again.";
	struct buf labels = { 0 };

	taken = counter_new(name, help, "result=\"taken\"");
	refused = counter_new(name, help, "result=\"refused\"");
	for (size_t i = 0; i < certs.count; i++) {
		buf_clear(&labels);
		buf_add_str(&labels, STR("file="));
		buf_add_json_str(&labels, str_of(certs.items[i]));
		buf_add(&labels, "", 1);
		expires[i] = gauge_new("onrush_gateway_certificate_expiry_seconds",
		    "When the certificate expires, in seconds since 1970.",
		    buf_str(&labels).p);
	}
	buf_fini(&labels);
}

bool
certificates_start(const struct certificates_settings *s)
{
	char err[ERR_SIZE];

	settings = s;
	if (s->opening.tls_listen[0] == '\0')
		return true;
	if (read_settings(s, err, sizeof(err))) {
		register_metrics();
		if (replace(err, sizeof(err)))
			return true;
	}
	log_error("the certificates cannot be used: %s", err);
	return false;
}

void
certificates_reload(void)
{
	char err[ERR_SIZE];

	if (current == NULL)
		return;
	if (replace(err, sizeof(err))) {
		counter_add(taken, 1);
		log_info("new certificates: %zu", certs.count);
	} else {
		counter_add(refused, 1);
		log_error("the new certificates are refused, the old ones stay: %s", err);
	}
}

void
certificates_stop(void)
{
	tls_put(current);
	current = NULL;
	list_free(&certs);
	list_free(&keys);
}

void
certificates_give(struct httpd *httpd, uint64_t *had)
{
	if (*had == atomic_load(&version))
		return;
	pthread_mutex_lock(&mutex);
	httpd_set_tls(httpd, current);
	*had = atomic_load(&version);
	pthread_mutex_unlock(&mutex);
}

void
certificates_watch(void)
{
	static int64_t looked_at; /* seconds since 1970, with which certificates */
	static uint64_t looked_version;
	int64_t now = clock_wall_us() / CLOCK_US_PER_SEC;
	uint64_t of = atomic_load(&version);

	if (now - looked_at < DAY && looked_version == of)
		return;
	looked_at = now;
	looked_version = of;
	for (size_t i = 0; i < certs.count; i++) {
		int64_t left = gauge_value(expires[i]) - now;

		if (left <= 0)
			log_error("the certificate %s has expired: clients refuse it",
			    certs.items[i]);
		else if (left < WARN_DAYS * DAY)
			log_warn("the certificate %s expires in %d days", certs.items[i],
			    (int)(left / DAY));
	}
}
