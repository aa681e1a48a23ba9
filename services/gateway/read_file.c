#include "gateway/read_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"

char *
read_file(const char *path, size_t max, size_t *size, char *err, size_t err_size)
{
	FILE *f = fopen(path, "re");
	char *text;

	if (f == NULL) {
		snprintf(err, err_size, "%s: cannot be read: %s", path, strerror(errno));
		return NULL;
	}
	text = xmalloc(max + 1);
	errno = 0;
	*size = fread(text, 1, max + 1, f);
	if (ferror(f))
		snprintf(err, err_size, "%s: cannot be read: %s", path, strerror(errno));
	else if (*size > max)
		snprintf(err, err_size, "%s: must have at most %zu bytes", path, max);
	else {
		fclose(f);
		return text;
	}
	fclose(f);
	free(text);
	return NULL;
}
