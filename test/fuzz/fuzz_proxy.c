/*
 * Any bytes as a PROXY header. What is taken is a prefix, is the same however its bytes
 * arrive and whatever follows, and gives an address that can be written down.
 */
#include <string.h>

#include "http/net.h"
#include "http/proxy_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	str in = { (const char *)bytes, size };
	struct proxy_header header, again;
	enum proxy_parse parsed = proxy_parse(in, &header);
	char text[NET_TEXT_SIZE];
	size_t n = 0;

	if (parsed != PROXY_DONE) {
		ASSERT(parsed == PROXY_BAD || size < PROXY_MAX);
		return 0;
	}
	ASSERT(header.size > 0 && header.size <= size && header.size <= PROXY_MAX);
	while (n < header.size)
		ASSERT(proxy_parse((str){ in.p, n++ }, &again) == PROXY_MORE);
	ASSERT(proxy_parse((str){ in.p, n }, &again) == PROXY_DONE);
	ASSERT(memcmp(&header, &again, sizeof(header)) == 0);
	if (!header.has_source)
		return 0;
	net_text(&header.source, text);
	ASSERT(text[0] != '?' && strlen(text) < sizeof(text));
	return 0;
}
