/* err.def as a table of rows. */
#include "base/err.h"

#include <string.h>

#include "base/die.h"

enum {
	FINAL = 0,
	RETRY = 1,
	NOACK = 0,
	ACK = 1
};

static const struct err_info table[] = {
#define X(name, status, code, retry, ack, message) { code, message, status, retry, ack },
#include "base/err.def"
#undef X
};

const struct err_info *
err_info(enum err err)
{
	ASSERT((unsigned)err < ERR_COUNT);
	return &table[err];
}

enum err
err_from_code(const char *code)
{
	enum err err = ERR_OK;

	while (err < ERR_COUNT && strcmp(table[err].code, code) != 0)
		err++;
	return err;
}
