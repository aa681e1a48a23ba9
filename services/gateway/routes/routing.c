#include "gateway/routes/routing.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/log.h"
#include "app/metrics.h"
#include "gateway/read_file.h"

enum {
	ERR_SIZE = 1024
};

/* What is in force without a file: the one that is installed beside the program. */
__asm__(".pushsection .rodata,\"a\"\n"
	"routing_builtin:\n"
	".incbin \"deploy/gateway/routes.json\"\n"
	"routing_builtin_end:\n"
	".popsection");
extern const char routing_builtin[] __attribute__((visibility("hidden")));
extern const char routing_builtin_end[] __attribute__((visibility("hidden")));

static const struct gateway_settings *settings; /* borrowed */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct route_table *current;      /* had; guarded by mutex */
static atomic_uint_fast64_t version;     /* changed under the mutex */
static struct counter *loaded, *refused; /* for ever */

static struct route_file *load(char *err, size_t err_size);

/* The settings that a file may name. */
static const char *
setting_value(const char *name)
{
	for (size_t i = 0; i < GATEWAY_SERVICES; i++)
		if (strcmp(gateway_service_settings[i], name) == 0)
			return settings->servers[i];
	return NULL;
}

bool
routing_check(const struct gateway_settings *with, char *err, size_t err_size)
{
	struct route_file *file;

	settings = with;
	file = load(err, err_size);
	route_file_free(file);
	return file != NULL;
}

/* --- the file ------------------------------------------------------------------------
 */

static struct route_file *
load(char *err, size_t err_size)
{
	const char *path = settings->routes;
	struct route_file *file;
	char why[ERR_SIZE], *text;
	size_t size;

	if (path[0] == '\0') {
		str builtin = { routing_builtin,
			(size_t)(routing_builtin_end - routing_builtin) };
		return route_file_parse(builtin, setting_value, err, err_size);
	}
	text = read_file(path, ROUTE_FILE_SIZE, &size, err, err_size);
	if (text == NULL)
		return NULL;
	file = route_file_parse((str){ text, size }, setting_value, why, sizeof(why));
	free(text);
	if (file == NULL)
		snprintf(err, err_size, "%s, %s", path, why);
	return file;
}

/* --- in force ------------------------------------------------------------------------
 */

/* Called by one thread at a time: the main thread, then the supervisor. */
static bool
replace(char *err, size_t err_size)
{
	struct route_file *file = load(err, err_size);
	struct route_table *table, *before = current;

	if (file == NULL)
		return false;
	table = routes_new(file, before, &settings->upstream, err, err_size);
	if (table == NULL)
		return false;
	pthread_mutex_lock(&mutex);
	current = table;
	atomic_fetch_add(&version, 1);
	pthread_mutex_unlock(&mutex);
	routes_put(before);
	return true;
}

bool
routing_start(const struct gateway_settings *with)
{
	static const char name[] = "onrush_gateway_reloads_total";
	static const char help[] = "How often the routes were loaded again.";
	char err[ERR_SIZE];

	settings = with;
	loaded = counter_new(name, help, "result=\"taken\"");
	refused = counter_new(name, help, "result=\"refused\"");
	if (replace(err, sizeof(err)))
		return true;
	log_error("the routes cannot be used: %s", err);
	return false;
}

bool
routing_reload(char *err, size_t err_size)
{
	if (!replace(err, err_size)) {
		counter_add(refused, 1);
		log_error("the new routes are refused, the old ones stay: %s", err);
		return false;
	}
	counter_add(loaded, 1);
	log_info("new routes: %zu of %zu services", current->file->row_count,
	    current->file->service_count);
	return true;
}

void
routing_stop(void)
{
	routes_put(current);
	current = NULL;
}

uint64_t
routing_version(void)
{
	return atomic_load(&version);
}

struct route_table *
routing_table(uint64_t *of)
{
	struct route_table *table;

	pthread_mutex_lock(&mutex);
	table = routes_take(current);
	*of = atomic_load(&version);
	pthread_mutex_unlock(&mutex);
	return table;
}
