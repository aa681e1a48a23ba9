/*
 * Any bytes as a route file. What is accepted must have patterns that the tree of paths
 * takes, every route must be found by a path made of its pattern, and the path at the
 * service must be one; what is refused must say where.
 */
#include <string.h>

#include "gateway/routes/routes.h"
#include "http/path_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static const char *
setting(const char *name)
{
	return strcmp(name, "S") == 0 ? "a:1,b:2 weight=2" : NULL;
}

static bool
is_wanted(void *arg, size_t value)
{
	return *(const size_t *)arg == value;
}

/* A path that the pattern stands for: its {…} are x. */
static str
sample(struct arena *arena, const char *pattern)
{
	char *path = arena_strdup(arena, str_of(pattern)), *out = path;

	for (const char *p = path; *p != '\0'; p++) {
		*out++ = *p == '{' ? 'x' : *p;
		if (*p == '{')
			p = strchr(p, '}');
	}
	return (str){ path, (size_t)(out - path) };
}

static void
check_route(const struct path_tree *tree, const struct route_file *file, size_t i)
{
	const struct route_row *row = &file->rows[i];
	str path = sample(file->arena, row->route.pattern), target;
	str params[RQ_MAX_PARAMS];

	ASSERT(path_tree_find(tree, path, params, is_wanted, &i));
	target = routes_target(row, params, STR("q=1"), file->arena);
	ASSERT(target.n > 4 && target.p[0] == '/');
	ASSERT(memchr(target.p, '{', target.n) == NULL);
	ASSERT(row->service < file->service_count && row->key < RQ_MAX_PARAMS);
	ASSERT(row->route.deadline_us > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	str text = { (const char *)bytes, size };
	struct route_file *file;
	struct path_tree *tree;
	char err[1024];

	file = route_file_parse(text, setting, err, sizeof(err));
	if (file == NULL) {
		ASSERT(strncmp(err, "line ", 5) == 0);
		return 0;
	}
	tree = path_tree_new();
	for (size_t i = 0; i < file->row_count; i++)
		path_tree_add(tree, file->rows[i].route.pattern, i);
	for (size_t i = 0; i < file->row_count; i++)
		check_route(tree, file, i);
	path_tree_free(tree);
	route_file_free(file);
	return 0;
}
