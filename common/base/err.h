/* Outcomes of everything that can fail; the table is err.def. */
#ifndef ONRUSH_BASE_ERR_H
#define ONRUSH_BASE_ERR_H

#include <stdbool.h>

enum err {
#define X(name, status, code, retry, ack, message) ERR_##name,
#include "base/err.def"
#undef X
	ERR_COUNT
};

/* One row of the table; the strings are static. */
struct err_info {
	const char *code;    /* stable, upper case, for programs */
	const char *message; /* a sentence for people */
	int status;          /* HTTP status */
	bool retry;          /* repeating it later may succeed */
	bool ack;            /* a consumer acknowledges the record */
};

const struct err_info *err_info(enum err err);

/* The outcome with this stable code; ERR_COUNT if there is none. */
enum err err_from_code(const char *code);

#endif
