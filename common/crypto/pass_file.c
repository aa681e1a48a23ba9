/* A file is told from what it was by device, inode, size and time of change: editors
 * replace it, and rsync keeps its time. */
#include "crypto/pass_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct pass_file {
	char *path;             /* owned */
	struct pass_keys *keys; /* owned */
	struct stat seen;       /* before it was read: what comes later is seen as new */
};

static bool
is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	       a->st_size == b->st_size && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* All zero, which no file is, when there is none. */
static void
look_at(const char *path, struct stat *st)
{
	if (stat(path, st) != 0)
		memset(st, 0, sizeof(*st));
}

struct pass_file *
pass_file_open(const char *path, char *err, size_t err_size)
{
	struct pass_file *file = xcalloc(1, sizeof(*file));

	file->path = xstrdup(path);
	look_at(path, &file->seen);
	file->keys = pass_keys_load(path, err, err_size);
	if (file->keys != NULL)
		return file;
	pass_file_free(file);
	return NULL;
}

void
pass_file_free(struct pass_file *file)
{
	if (file == NULL)
		return;
	pass_keys_free(file->keys);
	free(file->path);
	free(file);
}

const struct pass_keys *
pass_file_keys(const struct pass_file *file)
{
	return file->keys;
}

enum pass_file_news
pass_file_look(struct pass_file *file, char *err, size_t err_size)
{
	struct pass_keys *keys;
	struct stat now;

	look_at(file->path, &now);
	if (is_same(&now, &file->seen))
		return PASS_FILE_SAME;
	file->seen = now;
	keys = pass_keys_load(file->path, err, err_size);
	if (keys == NULL)
		return PASS_FILE_BROKEN;
	pass_keys_free(file->keys);
	file->keys = keys;
	return PASS_FILE_CHANGED;
}
