/*
 * The PROXY protocol, read strictly: what is not exactly as the specification has it is
 * refused, for whoever can make us believe in a wrong address gets around every limit
 * that goes by addresses.
 */
#include "http/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

static const str begin_1 = STR_INIT("PROXY ");
static const str begin_2 = STR_INIT("\r\n\r\n\0\r\nQUIT\n");

enum {
	LINE_MAX_1 = 107, /* with CRLF */
	FIXED_2 = 16,     /* what comes before the addresses of version 2 */

	VERSION_2 = 0x20,
	LOCAL = 0,
	PROXY = 1,
	STREAM = 1,
	TLV_CRC32C = 0x03,
	TLV_SSL = 0x20,
	SSL_CLIENT = 1, /* the bit that says that the client came by TLS */
	SSL_FIXED = 5,
};

static enum proxy_parse parse_1(str in, struct proxy_header *header);
static enum proxy_parse parse_2(str in, struct proxy_header *header);

static bool
begins_alike(str a, str b)
{
	size_t n = a.n < b.n ? a.n : b.n;

	return n == 0 || memcmp(a.p, b.p, n) == 0;
}

enum proxy_parse
proxy_parse(str in, struct proxy_header *header)
{
	*header = (struct proxy_header){ 0 };
	if (begins_alike(in, begin_1))
		return in.n < begin_1.n ? PROXY_MORE : parse_1(in, header);
	if (begins_alike(in, begin_2))
		return in.n < FIXED_2 ? PROXY_MORE : parse_2(in, header);
	return PROXY_BAD;
}

/* --- version 1: a line of text -------------------------------------------------------
 */

static bool
parse_address(int family, str text, void *out)
{
	char address[INET6_ADDRSTRLEN];

	if (text.n >= sizeof(address) || memchr(text.p, '\0', text.n) != NULL)
		return false;
	memcpy(address, text.p, text.n);
	address[text.n] = '\0';
	return inet_pton(family, address, out) == 1;
}

static void
set_source(struct proxy_header *header, int family, const void *address, uint16_t port)
{
	struct sockaddr_in *in4 = (void *)&header->source;
	struct sockaddr_in6 *in6 = (void *)&header->source;

	header->has_source = true;
	header->source.ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		memcpy(&in4->sin_addr, address, sizeof(in4->sin_addr));
		in4->sin_port = htons(port);
	} else {
		memcpy(&in6->sin6_addr, address, sizeof(in6->sin6_addr));
		in6->sin6_port = htons(port);
	}
}

/* "TCP4 192.0.2.1 198.51.100.1 56324 443" */
static bool
parse_line(str line, struct proxy_header *header)
{
	struct in6_addr source, target; /* the larger of both families */
	int64_t source_port, target_port;
	str words[4], protocol;
	int family;

	line = str_cut(line, ' ', &protocol);
	if (str_eq(protocol, STR("UNKNOWN")))
		return true; /* whatever else is on the line */
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		line = str_cut(line, ' ', &words[i]);
	if (str_eq(protocol, STR("TCP4")))
		family = AF_INET;
	else if (str_eq(protocol, STR("TCP6")))
		family = AF_INET6;
	else
		return false;
	if (line.p != NULL || words[3].n == 0 ||
	    !parse_address(family, words[0], &source) ||
	    !parse_address(family, words[1], &target) ||
	    !str_to_i64(words[2], 0, UINT16_MAX, &source_port) ||
	    !str_to_i64(words[3], 0, UINT16_MAX, &target_port))
		return false;
	set_source(header, family, &source, (uint16_t)source_port);
	return true;
}

static enum proxy_parse
parse_1(str in, struct proxy_header *header)
{
	size_t room = in.n < LINE_MAX_1 ? in.n : LINE_MAX_1;
	const char *end = memchr(in.p, '\n', room);
	str line;

	if (end == NULL)
		return room < LINE_MAX_1 ? PROXY_MORE : PROXY_BAD;
	if (end[-1] != '\r')
		return PROXY_BAD;
	header->size = (size_t)(end + 1 - in.p);
	line = (str){ in.p + begin_1.n, (size_t)(end - 1 - in.p) - begin_1.n };
	return parse_line(line, header) ? PROXY_DONE : PROXY_BAD;
}

/* --- version 2: bytes ----------------------------------------------------------------
 */

static uint8_t
byte_at(str s, size_t at)
{
	return (uint8_t)s.p[at];
}

static uint16_t
number_at(str s, size_t at)
{
	return (uint16_t)(byte_at(s, at) << 8 | byte_at(s, at + 1));
}

/* CRC32C (RFC 3720, B.4) of the header with zeros where its own four bytes are. */
static uint32_t
checksum(str header, size_t own)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < header.n; i++) {
		crc ^= i >= own && i < own + 4 ? 0 : byte_at(header, i);
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/* What follows the addresses, from `at` on: type, length, value. */
static bool
parse_extras(str in, size_t at, struct proxy_header *header)
{
	while (at < in.n) {
		size_t value = at + 3, size;
		int type = byte_at(in, at);

		if (in.n - at < 3)
			return false;
		size = number_at(in, at + 1);
		if (size > in.n - value)
			return false;
		if (type == TLV_CRC32C &&
		    (size != 4 ||
			checksum(in, value) != ((uint32_t)number_at(in, value) << 16 |
						   number_at(in, value + 2))))
			return false;
		if (type == TLV_SSL && size < SSL_FIXED)
			return false;
		if (type == TLV_SSL)
			header->secure = byte_at(in, value) & SSL_CLIENT;
		at = value + size;
	}
	return true;
}

/* The addresses' family and size; -1: one that is not known. */
static int
family_of(uint8_t code, size_t *size)
{
	switch (code >> 4) {
	case 0: *size = 0; return AF_UNSPEC;
	case 1: *size = 12; return AF_INET;
	case 2: *size = 36; return AF_INET6;
	case 3: *size = 216; return AF_UNIX;
	default: return -1;
	}
}

static bool
parse_bytes(str in, struct proxy_header *header)
{
	uint8_t code = byte_at(in, 13);
	size_t size;
	int family = family_of(code, &size);

	if (family == -1 || in.n - FIXED_2 < size)
		return false;
	/* Bytes come over what we listen at, whatever the balancer says it is. */
	if (family != AF_UNSPEC && (code & 0x0f) != STREAM)
		return false;
	if (family == AF_INET)
		set_source(header, family, in.p + FIXED_2, number_at(in, FIXED_2 + 8));
	else if (family == AF_INET6)
		set_source(header, family, in.p + FIXED_2, number_at(in, FIXED_2 + 32));
	/* Of a family that says nothing, nothing behind it does either. */
	return family == AF_UNSPEC || parse_extras(in, FIXED_2 + size, header);
}

static enum proxy_parse
parse_2(str in, struct proxy_header *header)
{
	uint8_t command = byte_at(in, 12);
	size_t size = (size_t)FIXED_2 + number_at(in, 14);

	if ((command & 0xf0) != VERSION_2 || (command & 0x0f) > PROXY || size > PROXY_MAX)
		return PROXY_BAD;
	if (in.n < size)
		return PROXY_MORE;
	header->size = size;
	if ((command & 0x0f) == LOCAL)
		return PROXY_DONE; /* everything behind it is to be ignored */
	return parse_bytes((str){ in.p, size }, header) ? PROXY_DONE : PROXY_BAD;
}
