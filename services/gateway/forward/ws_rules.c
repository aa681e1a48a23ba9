#include "gateway/forward/ws_rules.h"

#include <string.h>

#include "base/base64.h"
#include "crypto/digest.h"

enum {
	KEY_SIZE = 24,    /* 16 bytes in base64 */
	ACCEPT_SIZE = 28, /* a SHA-1 in base64 */
};

/* Is the token in one of the headers of that name? */
static bool
names(const struct http_head *head, str name, str token)
{
	for (size_t i = 0; i < head->header_count; i++)
		if (str_eq_nocase(head->headers[i].name, name) &&
		    http_list_has(head->headers[i].value, token))
			return true;
	return false;
}

/* The header's value if it is there once, else an empty one. */
static str
only(const struct http_head *head, str name)
{
	str value = STR("");
	size_t count = 0;

	for (size_t i = 0; i < head->header_count; i++)
		if (str_eq_nocase(head->headers[i].name, name)) {
			value = head->headers[i].value;
			count++;
		}
	return count == 1 ? value : STR("");
}

static bool
is_upgrade(const struct http_head *head)
{
	return names(head, STR("connection"), STR("upgrade")) &&
	       names(head, STR("upgrade"), STR("websocket"));
}

static bool
is_key(str key)
{
	if (key.n != KEY_SIZE || key.p[KEY_SIZE - 2] != '=' || key.p[KEY_SIZE - 1] != '=')
		return false;
	for (size_t i = 0; i < KEY_SIZE - 2; i++) {
		char c = key.p[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			(c >= '0' && c <= '9') || c == '+' || c == '/'))
			return false;
	}
	return true;
}

enum ws_ask
ws_ask(const struct http_head *request)
{
	if (request->method != HTTP_GET || request->minor < 1 || !is_upgrade(request))
		return WS_NOT_ASKED;
	if (!str_eq(only(request, STR("sec-websocket-version")), STR("13")))
		return WS_OTHER_VERSION;
	if (request->framing != HTTP_BODY_NONE ||
	    !is_key(only(request, STR("sec-websocket-key"))))
		return WS_MALFORMED;
	return WS_ASKED;
}

/* base64.h writes the alphabet of URLs, without padding. */
static str
plain_base64(const struct sha1 *hash, char out[ACCEPT_SIZE])
{
	size_t n = base64_encode(hash->b, sizeof(hash->b), out);

	for (size_t i = 0; i < n; i++)
		out[i] = out[i] == '-' ? '+' : out[i] == '_' ? '/' : out[i];
	memset(out + n, '=', ACCEPT_SIZE - n);
	return (str){ out, ACCEPT_SIZE };
}

bool
ws_accepts(const struct http_head *response, str key)
{
	const str parts[] = { key, STR("258EAFA5-E914-47DA-95CA-C5AB0DC85B11") };
	struct sha1 hash = sha1_of(parts, ARRAY_LEN(parts));
	char text[ACCEPT_SIZE];

	return is_upgrade(response) && str_eq(only(response, STR("sec-websocket-accept")),
					   plain_base64(&hash, text));
}

/* --- frames --------------------------------------------------------------------------
 */

/* The next byte of a frame's head (RFC 6455, 5.2). */
static void
pass_head(struct ws_frames *f, unsigned char byte)
{
	f->head_at++;
	if (f->head_at == 1)
		return; /* what kind of frame: does not matter here */
	if (f->head_at == 2) {
		f->mask = byte & 0x80 ? 4 : 0;
		f->length = byte & 0x7f;
		f->to_come = f->length == 126 ? 2 : f->length == 127 ? 8 : 0;
		if (f->to_come > 0)
			f->length = 0;
	} else {
		f->length = f->length << 8 | byte;
		f->to_come--;
	}
	if (f->to_come > 0)
		return;
	f->left = f->length + f->mask;
	f->head_at = 0;
}

void
ws_frames_pass(struct ws_frames *f, str bytes)
{
	size_t at = 0;

	while (at < bytes.n) {
		if (f->left == 0) {
			pass_head(f, (unsigned char)bytes.p[at++]);
		} else if (f->left <= bytes.n - at) {
			at += (size_t)f->left;
			f->left = 0;
		} else {
			f->left -= bytes.n - at;
			return;
		}
	}
}
