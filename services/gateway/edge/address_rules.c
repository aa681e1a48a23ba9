#include "gateway/edge/address_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MAPPED UINT64_C(0xffff00000000)

static bool parse_v4(str text, uint64_t *out);

bool
address_parse(str text, struct address *out)
{
	char copy[INET6_ADDRSTRLEN];
	unsigned char bytes[16];
	uint64_t v4;

	if (parse_v4(text, &v4)) {
		*out = (struct address){ 0, MAPPED | v4 };
		return true;
	}
	if (text.n == 0 || text.n >= sizeof(copy))
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	if (inet_pton(AF_INET6, copy, bytes) != 1)
		return false;
	*out = (struct address){ 0, 0 };
	for (size_t i = 0; i < 8; i++) {
		out->high = out->high << 8 | bytes[i];
		out->low = out->low << 8 | bytes[8 + i];
	}
	return true;
}

/* Four decimal numbers; by hand, since every request's is looked at. */
static bool
parse_v4(str text, uint64_t *out)
{
	unsigned part = 0, digits = 0, dots = 0;
	uint64_t address = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c >= '0' && c <= '9' && digits < 3 && !(digits > 0 && part == 0)) {
			part = part * 10 + (unsigned)(c - '0');
			digits++;
		} else if (c == '.' && digits > 0 && part <= 255 && dots < 3) {
			address = address << 8 | part;
			part = digits = 0;
			dots++;
		} else {
			return false;
		}
	}
	*out = address << 8 | part;
	return dots == 3 && digits > 0 && part <= 255;
}

static bool
is_v4(const struct address *address)
{
	return address->high == 0 && address->low >> 32 == 0xffff;
}

uint64_t
address_subject(const struct address *address)
{
	return is_v4(address) ? address->low : address->high;
}

/* --- lists ---------------------------------------------------------------------------
 */

/* The first `bits` of 128. */
static struct address
mask_of(unsigned bits)
{
	struct address mask = { 0, 0 };

	if (bits > 0)
		mask.high = UINT64_MAX << (bits >= 64 ? 0 : 64 - bits);
	if (bits > 64)
		mask.low = UINT64_MAX << (128 - bits);
	return mask;
}

/* The length behind the slash; the whole address when there is none (p == NULL). */
static bool
parse_bits(str text, unsigned most, unsigned *out)
{
	unsigned bits = 0;

	*out = most;
	if (text.p == NULL)
		return true;
	if (text.n == 0 || text.n > 3)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		bits = bits * 10 + (unsigned)(text.p[i] - '0');
	}
	*out = bits;
	return bits <= most;
}

static bool
parse_network(str text, struct address *network, struct address *mask)
{
	str address, length = str_cut(text, '/', &address);
	unsigned bits, skipped;

	if (!address_parse(address, network))
		return false;
	skipped = is_v4(network) ? 96 : 0;
	if (!parse_bits(length, 128 - skipped, &bits))
		return false;
	*mask = mask_of(bits + skipped);
	return (network->high & ~mask->high) == 0 && (network->low & ~mask->low) == 0;
}

bool
address_list_parse(str text, struct address_list *out, char *err, size_t err_size)
{
	out->count = 0;
	if (str_trim(text).n == 0)
		return true;
	do {
		size_t i = out->count;
		str one;

		text = str_cut(text, ',', &one);
		one = str_trim(one);
		if (i == ADDRESS_NETWORKS) {
			snprintf(err, err_size, "must have at most %d networks",
			    ADDRESS_NETWORKS);
			return false;
		}
		if (!parse_network(
			one, &out->networks[i].network, &out->networks[i].mask)) {
			snprintf(err, err_size,
			    "\"%.*s\" is not a network such as 10.0.0.0/8 or fd00::/8",
			    STR_ARG(one));
			return false;
		}
		out->count++;
	} while (text.p != NULL);
	return true;
}

bool
address_setting_read(const char *name, const char *text, struct address_list *out,
    char *err, size_t err_size)
{
	char why[256];

	if (address_list_parse(str_of(text), out, why, sizeof(why)))
		return true;
	snprintf(err, err_size, "%s: %s", name, why);
	return false;
}

bool
address_list_has(const struct address_list *list, const struct address *address)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct address *network = &list->networks[i].network;
		const struct address *mask = &list->networks[i].mask;

		if ((address->high & mask->high) == network->high &&
		    (address->low & mask->low) == network->low)
			return true;
	}
	return false;
}
