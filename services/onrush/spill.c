#include "onrush/spill.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FILES = 32
};

struct spill {
	size_t record_size;
	size_t limit;       /* records that stay in memory */
	char *records;      /* owned; those that are in memory */
	size_t count, room; /* of records */
	FILE *files[FILES]; /* owned; all NULL while there are few records */
	size_t counts[FILES];
	int error; /* errno of the first thing that failed */
};

struct spill *
spill_new(size_t record_size, size_t memory)
{
	struct spill *s = xcalloc(1, sizeof(*s));

	s->record_size = record_size;
	s->limit = memory / record_size;
	return s;
}

void
spill_free(struct spill *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < FILES; i++)
		if (s->files[i] != NULL)
			fclose(s->files[i]);
	free(s->records);
	free(s);
}

/* The keys are ids, one after the other: Fibonacci hashing spreads them. */
static size_t
file_of(uint64_t key)
{
	return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 59);
}

static FILE *
open_nameless(void)
{
	const char *dir = getenv("TMPDIR");
	char path[PATH_MAX];
	int fd;
	FILE *f;

	snprintf(path, sizeof(path), "%s/onrush.XXXXXX",
	    dir == NULL || dir[0] == '\0' ? "/tmp" : dir);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return NULL;
	unlink(path);
	f = fdopen(fd, "w+");
	if (f == NULL)
		close(fd);
	return f;
}

static void
write_record(struct spill *s, uint64_t key, const void *record)
{
	size_t i = file_of(key);

	if (s->error == 0 && fwrite(record, s->record_size, 1, s->files[i]) != 1)
		s->error = errno;
	s->counts[i]++;
}

/* From memory to the files. The key is kept in front of each record for this. */
static void
overflow(struct spill *s)
{
	for (size_t i = 0; i < FILES && s->error == 0; i++) {
		s->files[i] = open_nameless();
		if (s->files[i] == NULL)
			s->error = errno;
	}
	for (size_t i = 0; i < s->count && s->error == 0; i++) {
		const char *at = s->records + i * (s->record_size + sizeof(uint64_t));
		uint64_t key;

		memcpy(&key, at, sizeof(key));
		write_record(s, key, at + sizeof(key));
	}
	free(s->records);
	s->records = NULL;
	s->count = 0;
}

void
spill_add(struct spill *s, uint64_t key, const void *record)
{
	size_t size = s->record_size + sizeof(key);
	char *at;

	if (s->error != 0)
		return;
	if (s->files[0] == NULL && s->count == s->limit)
		overflow(s);
	if (s->files[0] != NULL) {
		write_record(s, key, record);
		return;
	}
	if (s->count == s->room) {
		s->room = s->room == 0 ? 1024 : 2 * s->room;
		s->records = xrealloc(s->records, s->room * size);
	}
	at = s->records + s->count++ * size;
	memcpy(at, &key, sizeof(key));
	memcpy(at + sizeof(key), record, s->record_size);
}

/* Takes the keys out from between the records that are in memory. */
static void
close_up(struct spill *s)
{
	size_t size = s->record_size + sizeof(uint64_t);

	for (size_t i = 0; i < s->count; i++)
		memmove(s->records + i * s->record_size,
		    s->records + i * size + sizeof(uint64_t), s->record_size);
}

static bool
bring_back(struct spill *s, size_t i)
{
	size_t count = s->counts[i];

	free(s->records);
	s->records = xmalloc(count * s->record_size);
	if (fflush(s->files[i]) != 0 || fseek(s->files[i], 0, SEEK_SET) != 0 ||
	    fread(s->records, s->record_size, count, s->files[i]) != count) {
		s->error = errno != 0 ? errno : EIO;
		return false;
	}
	fclose(s->files[i]);
	s->files[i] = NULL;
	s->count = count;
	return true;
}

bool
spill_each(struct spill *s, int (*compare)(const void *, const void *),
    void (*run)(void *arg, const void *records, size_t count), void *arg)
{
	bool spilled = s->files[0] != NULL;

	if (!spilled)
		close_up(s);
	for (size_t i = 0; i < (spilled ? FILES : 1) && s->error == 0; i++) {
		errno = 0;
		if (spilled && !bring_back(s, i))
			break;
		if (s->count == 0)
			continue;
		qsort(s->records, s->count, s->record_size, compare);
		run(arg, s->records, s->count);
	}
	errno = s->error;
	return s->error == 0;
}
