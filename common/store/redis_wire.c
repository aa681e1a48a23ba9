/*
 * What is written to Redis: commands as arrays of bulk strings (RESP2), and the SHA-1 by
 * which Redis calls a script, which is no secret and has no enemy.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "store/redis_impl.h"

enum {
	SHA1_BLOCK = 64,
	SHA1_WORDS = 5
};

static void sha1_hex(str text, char out[41]);
static void sha1_block(uint32_t state[SHA1_WORDS], const uint8_t block[SHA1_BLOCK]);

void
redis_put_count(struct buf *out, size_t count)
{
	buf_add(out, "*", 1);
	buf_add_i64(out, (int64_t)count);
	buf_add(out, "\r\n", 2);
}

void
redis_put_arg(struct buf *out, str arg)
{
	buf_add(out, "$", 1);
	buf_add_i64(out, (int64_t)arg.n);
	buf_add(out, "\r\n", 2);
	buf_add_str(out, arg);
	buf_add(out, "\r\n", 2);
}

void
redis_put_command(struct buf *out, size_t argc, const str *argv)
{
	redis_put_count(out, argc);
	for (size_t i = 0; i < argc; i++)
		redis_put_arg(out, argv[i]);
}

size_t
redis_put_hello(struct buf *out, const struct redis_url *url)
{
	size_t count = 1;
	char db[16];

	if (url->password[0] != '\0') {
		redis_put_count(out, url->user[0] == '\0' ? 2 : 3);
		redis_put_arg(out, STR("AUTH"));
		if (url->user[0] != '\0')
			redis_put_arg(out, str_of(url->user));
		redis_put_arg(out, str_of(url->password));
		count++;
	}
	if (url->db != 0) {
		snprintf(db, sizeof(db), "%d", (int)url->db);
		redis_put_command(out, 2, (str[]){ STR("SELECT"), str_of(db) });
		count++;
	}
	/* Its answer is an error while Redis loads its data. */
	redis_put_command(out, 1, &STR("PING"));
	return count;
}

/* --- scripts -------------------------------------------------------------------------
 */

void
redis_hash_script(struct redis_script *script)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	char sha[sizeof(script->sha)];

	/* Scripts are static and shared by the threads; the first character says that
	 * the others are there. */
	if (__atomic_load_n(&script->sha[0], __ATOMIC_ACQUIRE) != '\0')
		return;
	sha1_hex(str_of(script->lua), sha);
	pthread_mutex_lock(&mutex);
	if (script->sha[0] == '\0') {
		memcpy(script->sha + 1, sha + 1, sizeof(sha) - 1);
		__atomic_store_n(&script->sha[0], sha[0], __ATOMIC_RELEASE);
	}
	pthread_mutex_unlock(&mutex);
}

/* FIPS 180-4, section 6.1. */
static void
sha1_hex(str text, char out[41])
{
	uint32_t state[SHA1_WORDS] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476,
		0xc3d2e1f0 };
	uint8_t block[SHA1_BLOCK];
	uint8_t digest[4 * SHA1_WORDS];
	uint64_t bits = (uint64_t)text.n * 8;
	size_t done = 0;
	size_t left;

	for (; text.n - done >= SHA1_BLOCK; done += SHA1_BLOCK)
		sha1_block(state, (const uint8_t *)text.p + done);
	left = text.n - done;
	memset(block, 0, sizeof(block));
	memcpy(block, text.p + done, left);
	block[left] = 0x80;
	if (left >= SHA1_BLOCK - 8) {
		sha1_block(state, block);
		memset(block, 0, sizeof(block));
	}
	for (int i = 0; i < 8; i++)
		block[SHA1_BLOCK - 1 - i] = (uint8_t)(bits >> 8 * i);
	sha1_block(state, block);
	for (size_t i = 0; i < sizeof(digest); i++)
		digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
	hex_encode(digest, sizeof(digest), out);
}

static uint32_t
rotate(uint32_t x, int by)
{
	return x << by | x >> (32 - by);
}

/* The function and the constant of round t. */
static uint32_t
sha1_f(int t, uint32_t b, uint32_t c, uint32_t d)
{
	if (t < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (t < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (t < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void
sha1_block(uint32_t state[SHA1_WORDS], const uint8_t block[SHA1_BLOCK])
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
	uint32_t w[80];

	for (int t = 0; t < 16; t++)
		w[t] = (uint32_t)block[4 * t] << 24 | (uint32_t)block[4 * t + 1] << 16 |
		       (uint32_t)block[4 * t + 2] << 8 | block[4 * t + 3];
	for (int t = 16; t < 80; t++)
		w[t] = rotate(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
	for (int t = 0; t < 80; t++) {
		uint32_t next = rotate(a, 5) + sha1_f(t, b, c, d) + e + w[t];

		e = d;
		d = c;
		c = rotate(b, 30);
		b = a;
		a = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
	state[4] += e;
}
