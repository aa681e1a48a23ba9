#include "http/http_scan.h"

/* The combinations of sets that occur. */
enum {
	NO = 0,
	VA = HTTP_CHAR_VALUE,
	TK = VA | HTTP_CHAR_TOKEN,
	PA = VA | HTTP_CHAR_TARGET,
	TP = TK | PA,
	UN = TP | HTTP_CHAR_HOST,
	HX = UN | HTTP_CHAR_HEX,
};

const unsigned char http_chars[256] = {
	NO, NO, NO, NO, NO, NO, NO, NO, /* 00 */
	NO, VA, NO, NO, NO, NO, NO, NO, /* 08: HTAB */
	NO, NO, NO, NO, NO, NO, NO, NO, /* 10 */
	NO, NO, NO, NO, NO, NO, NO, NO, /* 18 */
	VA, TP, VA, TK, TP, TK, TP, TP, /* SP ! " # $ % & ' */
	PA, PA, TP, TP, PA, UN, UN, PA, /* ( ) * + , - . / */
	HX, HX, HX, HX, HX, HX, HX, HX, /* 0 1 2 3 4 5 6 7 */
	HX, HX, PA, PA, VA, PA, VA, VA, /* 8 9 : ; < = > ? */
	PA, HX, HX, HX, HX, HX, HX, UN, /* @ A B C D E F G */
	UN, UN, UN, UN, UN, UN, UN, UN, /* H I J K L M N O */
	UN, UN, UN, UN, UN, UN, UN, UN, /* P Q R S T U V W */
	UN, UN, UN, VA, VA, VA, TK, UN, /* X Y Z [ \ ] ^ _ */
	TK, HX, HX, HX, HX, HX, HX, UN, /* ` a b c d e f g */
	UN, UN, UN, UN, UN, UN, UN, UN, /* h i j k l m n o */
	UN, UN, UN, UN, UN, UN, UN, UN, /* p q r s t u v w */
	UN, UN, UN, VA, TK, VA, UN, NO, /* x y z { | } ~ DEL */
	VA, VA, VA, VA, VA, VA, VA, VA, /* 80: obs-text from here on */
	VA, VA, VA, VA, VA, VA, VA, VA, /* 88 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* 90 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* 98 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* a0 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* a8 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* b0 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* b8 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* c0 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* c8 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* d0 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* d8 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* e0 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* e8 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* f0 */
	VA, VA, VA, VA, VA, VA, VA, VA, /* f8 */
};

bool
http_is_all(str s, enum http_char set)
{
	for (size_t i = 0; i < s.n; i++)
		if (!http_is(s.p[i], set))
			return false;
	return s.n > 0;
}

enum http_parse
http_scan_field(const char **at, const char *end, struct http_header *field)
{
	const char *p = *at, *name = p, *value, *value_end;

	while (p < end && http_is(*p, HTTP_CHAR_TOKEN))
		p++;
	if (p == end)
		return HTTP_PARSE_MORE;
	/* An empty name, a folded line and space before the colon all end here. */
	if (p == name || *p != ':')
		return HTTP_PARSE_BAD;
	field->name = (str){ name, (size_t)(p - name) };
	p++;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	value = p;
	while (p < end && http_is(*p, HTTP_CHAR_VALUE))
		p++;
	if (p < end && *p != '\r')
		return HTTP_PARSE_BAD;
	if (end - p < 2)
		return HTTP_PARSE_MORE;
	if (p[1] != '\n')
		return HTTP_PARSE_BAD;
	*at = p + 2;
	for (value_end = p; value_end > value; value_end--)
		if (value_end[-1] != ' ' && value_end[-1] != '\t')
			break;
	field->value = (str){ value, (size_t)(value_end - value) };
	return HTTP_PARSE_DONE;
}

bool
http_is_framing_field(str name)
{
	return str_eq_nocase(name, STR("host")) ||
	       str_eq_nocase(name, STR("content-length")) ||
	       str_eq_nocase(name, STR("transfer-encoding"));
}
