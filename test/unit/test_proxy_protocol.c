/* PROXY headers: the specification's own, and what must not pass for one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "http/net.h"
#include "http/proxy_protocol.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
/* 192.0.2.1:50000 to 198.51.100.2:443 */
#define PAIR_4 "\xc0\x00\x02\x01\xc6\x33\x64\x02\xc3\x50\x01\xbb"
/* [2001:db8::1]:50000 to [2001:db8::2]:443 */
#define PAIR_6                                                                           \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"                                     \
	"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02\xc3\x50\x01\xbb"

/* --- what is taken -------------------------------------------------------------------
 */

/* Takes `in` with something behind it, and none of its beginnings; the source, or "". */
static const char *
source(str in, bool secure)
{
	static char text[NET_TEXT_SIZE];
	struct proxy_header header;
	char bytes[PROXY_MAX + 3];

	assert_true(in.n <= PROXY_MAX);
	memcpy(bytes, in.p, in.n);
	memcpy(bytes + in.n, "GET", 3);
	for (size_t n = 0; n < in.n; n++)
		assert_int_equal(proxy_parse((str){ bytes, n }, &header), PROXY_MORE);
	for (size_t n = in.n; n <= in.n + 3; n++) {
		assert_int_equal(proxy_parse((str){ bytes, n }, &header), PROXY_DONE);
		assert_int_equal(header.size, in.n);
		assert_int_equal(header.secure, secure);
	}
	if (!header.has_source)
		return "";
	net_text(&header.source, text);
	return text;
}

static int
port(str in)
{
	struct proxy_header header;
	const struct sockaddr_in *in4 = (const void *)&header.source;

	assert_int_equal(proxy_parse(in, &header), PROXY_DONE);
	return ntohs(in4->sin_port);
}

static void
version_1_gives_the_client(void **state)
{
	str in = STR("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n");

	(void)state;
	assert_string_equal(source(in, false), "192.0.2.1");
	assert_int_equal(port(in), 56324);
	assert_string_equal(
	    source(STR("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n"), false), "2001:db8::1");
	/* The longest line of the specification. */
	assert_string_equal(
	    source(STR("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 "
		       "65535\r\n"),
		false),
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_string_equal(
	    source(STR("PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n"), false), "192.0.2.1");
}

static void
version_1_may_not_know(void **state)
{
	(void)state;
	assert_string_equal(source(STR("PROXY UNKNOWN\r\n"), false), "");
	assert_string_equal(
	    source(STR("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
		       "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
		false),
	    "");
}

static void
version_2_gives_the_client(void **state)
{
	str in = STR(SIGNATURE "\x21\x11\0\x0c" PAIR_4);

	(void)state;
	assert_string_equal(source(in, false), "192.0.2.1");
	assert_int_equal(port(in), 50000);
	assert_string_equal(
	    source(STR(SIGNATURE "\x21\x21\0\x24" PAIR_6), false), "2001:db8::1");
}

static void
version_2_may_not_know(void **state)
{
	char unix_pair[16 + 216] = SIGNATURE "\x21\x31\0\xd8";

	(void)state;
	/* LOCAL, with whatever addresses. */
	assert_string_equal(source(STR(SIGNATURE "\x20\0\0\0"), false), "");
	assert_string_equal(source(STR(SIGNATURE "\x20\x11\0\x0c" PAIR_4), false), "");
	assert_string_equal(source(STR(SIGNATURE "\x20\xff\0\x02zz"), false), "");
	/* UNSPEC, and a socket's path. */
	assert_string_equal(source(STR(SIGNATURE "\x21\0\0\x03zzz"), false), "");
	assert_string_equal(source((str){ unix_pair, sizeof(unix_pair) }, false), "");
}

static void
version_2_says_more(void **state)
{
	(void)state;
	/* NOOP and ALPN; then TLS: yes, and a verified certificate; then not. */
	assert_string_equal(
	    source(
		STR(SIGNATURE "\x21\x11\0\x16" PAIR_4 "\x04\0\x02zz\x01\0\x02h2"), false),
	    "192.0.2.1");
	assert_string_equal(
	    source(STR(SIGNATURE "\x21\x11\0\x14" PAIR_4 "\x20\0\x05\x05\0\0\0\0"), true),
	    "192.0.2.1");
	assert_string_equal(
	    source(STR(SIGNATURE "\x21\x11\0\x1f" PAIR_4 "\x20\0\x10\x01\0\0\0\x01"
				 "\x21\0\x08TLSv1.30"),
		true),
	    "192.0.2.1");
	assert_string_equal(
	    source(
		STR(SIGNATURE "\x21\x11\0\x14" PAIR_4 "\x20\0\x05\x02\0\0\0\0"), false),
	    "192.0.2.1");
}

/* What another implementation of CRC32C gives for this header. */
static void
version_2_may_be_summed_up(void **state)
{
	struct proxy_header header;

	(void)state;
	assert_string_equal(source(STR(SIGNATURE "\x21\x11\0\x13" PAIR_4 "\x03\0\x04"
						 "\xa8\xf4\x07\xb1"),
				false),
	    "192.0.2.1");
	assert_int_equal(proxy_parse(STR(SIGNATURE "\x21\x11\0\x13" PAIR_4
						   "\x03\0\x04\x01\x02\x03\x04"),
			     &header),
	    PROXY_BAD);
	assert_int_equal(
	    proxy_parse(
		STR(SIGNATURE "\x21\x11\0\x12" PAIR_4 "\x03\0\x03\x01\x02\x03"), &header),
	    PROXY_BAD);
}

/* --- what is refused -----------------------------------------------------------------
 */

static void
is_refused(const char *what, str in)
{
	struct proxy_header header;

	if (proxy_parse(in, &header) != PROXY_BAD)
		fail_msg("%s: taken", what);
}

static void
other_lines_are_refused(void **state)
{
	static const char *const lines[] = { "GET / HTTP/1.1\r\n", "proxy TCP4",
		"PROXY\r\n", "PROXY \r\n", "PROXY TCP4\r\n",
		"PROXY  TCP4 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 \r\n",
		"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP4 1.2.3.4  1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 65536 1\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
		"PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n", "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
		"PROXY TCP4 01.2.3.4 1.2.3.4 1 2\r\n", "PROXY TCP4 1.2.3.4 x 1 2\r\n",
		"PROXY TCP4 ::1 ::1 1 2\r\n", "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP6 ::g ::1 1 2\r\n", "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
		"PROXY TCP44 1.2.3.4 1.2.3.4 1 2\r\n", "PROXY UNKNOW\r\n",
		"PROXY TCP4 1.2.3.4\t1.2.3.4 1 2\r\n" };
	char endless[107];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		is_refused(lines[i], str_of(lines[i]));
	is_refused("a NUL", STR("PROXY TCP4 1.2.3.4\0 1.2.3.4 1 2\r\n"));
	memset(endless, 'x', sizeof(endless));
	memcpy(endless, "PROXY UNKNOWN ", 14);
	is_refused("an endless line", (str){ endless, sizeof(endless) });
}

static void
other_bytes_are_refused(void **state)
{
	(void)state;
	is_refused("a wrong signature", STR("\r\n\r\n\0\r\nQUIX"));
	is_refused("version 1", STR(SIGNATURE "\x11\x11\0\x0c" PAIR_4));
	is_refused("version 3", STR(SIGNATURE "\x31\x11\0\x0c" PAIR_4));
	is_refused("another command", STR(SIGNATURE "\x22\x11\0\x0c" PAIR_4));
	is_refused("another family", STR(SIGNATURE "\x21\x41\0\x0c" PAIR_4));
	is_refused("datagrams", STR(SIGNATURE "\x21\x12\0\x0c" PAIR_4));
	is_refused("no transport", STR(SIGNATURE "\x21\x10\0\x0c" PAIR_4));
	is_refused("too short for IPv4", STR(SIGNATURE "\x21\x11\0\x0b" PAIR_4));
	is_refused("too short for IPv6", STR(SIGNATURE "\x21\x21\0\x23" PAIR_6));
	is_refused("too short for a path", STR(SIGNATURE "\x21\x31\0\x0c" PAIR_4));
	is_refused("too long", STR(SIGNATURE "\x21\x11\x0f\xf1"));
	is_refused(
	    "half a value's head", STR(SIGNATURE "\x21\x11\0\x0e" PAIR_4 "\x04\0"));
	is_refused("half a value", STR(SIGNATURE "\x21\x11\0\x10" PAIR_4 "\x04\0\x02z"));
	is_refused("a short word on TLS",
	    STR(SIGNATURE "\x21\x11\0\x13" PAIR_4 "\x20\0\x04\x01\0\0\0"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1_gives_the_client),
		cmocka_unit_test(version_1_may_not_know),
		cmocka_unit_test(version_2_gives_the_client),
		cmocka_unit_test(version_2_may_not_know),
		cmocka_unit_test(version_2_says_more),
		cmocka_unit_test(version_2_may_be_summed_up),
		cmocka_unit_test(other_lines_are_refused),
		cmocka_unit_test(other_bytes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
