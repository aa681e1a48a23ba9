/* A JSON writer into a buffer that each test finds empty. Include it after cmocka.h. */
#ifndef ONRUSH_TEST_JSON_FIXTURE_H
#define ONRUSH_TEST_JSON_FIXTURE_H

#include "http/json.h"

static struct buf out;
static struct json_writer w;

static inline int
begin(void **state)
{
	(void)state;
	buf_clear(&out);
	w = (struct json_writer){ .out = &out };
	return 0;
}

static inline int
end(void **state)
{
	(void)state;
	buf_fini(&out);
	return 0;
}

#endif
