/* What a server and a client agree on: certificate, version, protocol, session. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tls_rig.h"

static void
refuses(const char *cert, const char *key, const char *why)
{
	const struct tls_pair pairs[] = { { cert_b, key_b }, { cert, key } };
	const struct tls_conf conf = { pairs, 2, false, false };
	char err[512];

	assert_null(tls_new(&conf, err, sizeof(err)));
	if (strstr(err, why) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", err, why);
	assert_int_equal(ERR_peek_error(), 0);
}

static void
files_that_do_not_fit_are_refused(void **state)
{
	(void)state;
	refuses("/nowhere", key_a, "cannot read /nowhere: No such file");
	refuses(cert_a, "/nowhere", "cannot read /nowhere: No such file");
	refuses(nothing, key_a, "nothing has no certificate");
	refuses(cert_a, nothing, "nothing has no private key");
	refuses(cert_a, key_b, "b.key has no private key");
	refuses(cert_a, locked, "locked.key has no private key, without a passphrase");
}

static void
says_when_certificates_expire(void **state)
{
	struct tls *t = new_tls(false, false);
	int64_t now = time(NULL);

	(void)state;
	assert_in_range(tls_expires(t, 0) - now, 30 * 86400 - 60, 30 * 86400);
	assert_in_range(tls_expires(t, 1) - now, 10 * 86400 - 60, 10 * 86400);
	tls_put(t);
}

static void
the_certificate_fits_the_name(void **state)
{
	static const struct {
		const char *asked, *certificate;
	} rows[] = { { NULL, "a.example" }, { "a.example", "a.example" },
		{ "x.b.example", "b.example" }, { "b.example", "b.example" },
		{ "unknown.example", "a.example" } };
	struct tls *t = new_tls(false, false);
	struct ends e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		open_and_shake(&e, t, rows[i].asked);
		assert_true(got_certificate_for(&e, rows[i].certificate));
		close_ends(&e);
	}
	tls_put(t);
}

static void
versions_are_what_the_rules_say(void **state)
{
	struct tls *t = new_tls(false, false), *only_13 = new_tls(true, false);
	struct ends e;

	(void)state;
	open_ends(&e, t, NULL);
	SSL_set_max_proto_version(e.client, TLS1_2_VERSION);
	assert_int_equal(shake(&e), TLS_AGAIN);
	assert_true(tls_conn_open(e.server));
	assert_false(tls_conn_is_13(e.server));
	close_ends(&e);

	open_ends(&e, only_13, NULL);
	SSL_set_max_proto_version(e.client, TLS1_2_VERSION);
	assert_int_equal(shake(&e), TLS_BROKEN);
	assert_string_equal(tls_conn_why(e.server), "unsupported protocol");
	close_ends(&e);

	open_ends(&e, t, NULL);
	SSL_set_security_level(e.client, 0);
	SSL_set_min_proto_version(e.client, TLS1_VERSION);
	SSL_set_max_proto_version(e.client, TLS1_1_VERSION);
	assert_int_equal(shake(&e), TLS_BROKEN);
	close_ends(&e);
	tls_put(t);
	tls_put(only_13);
}

static void
alpn_takes_what_both_speak(void **state)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	static const unsigned char other[] = "\x04spdy";
	struct tls *t = new_tls(false, false), *h2 = new_tls(false, true);
	struct ends e;

	(void)state;
	for (int i = 0; i < 2; i++) {
		open_ends(&e, i == 0 ? t : h2, "x.b.example");
		SSL_set_alpn_protos(e.client, both, sizeof(both) - 1);
		assert_int_equal(shake(&e), TLS_AGAIN);
		assert_int_equal(tls_conn_h2(e.server), i == 1);
		close_ends(&e);
	}
	open_and_shake(&e, h2, NULL);
	assert_false(tls_conn_h2(e.server));
	close_ends(&e);
	open_ends(&e, h2, NULL);
	SSL_set_alpn_protos(e.client, other, sizeof(other) - 1);
	assert_int_equal(shake(&e), TLS_BROKEN);
	assert_string_equal(tls_conn_why(e.server), "no application protocol");
	close_ends(&e);
	tls_put(t);
	tls_put(h2);
}

/* With the same client; a session that it has learned, if there is one. */
static bool
is_resumed(struct tls *t, const char *name, int version, SSL_SESSION **session)
{
	struct ends e;
	bool resumed;
	char c;

	open_ends(&e, t, name);
	SSL_set_max_proto_version(e.client, version);
	if (*session != NULL)
		assert_int_equal(SSL_set_session(e.client, *session), 1);
	assert_int_equal(shake(&e), TLS_AGAIN);
	assert_int_equal(tls_conn_write(e.server, STR("x")), 1);
	(void)SSL_do_handshake(e.client); /* the last of it, with 1.2 */
	assert_int_equal(SSL_read(e.client, &c, 1), 1);
	resumed = tls_conn_resumed(e.server);
	SSL_SESSION_free(*session);
	*session = SSL_get1_session(e.client);
	SSL_shutdown(e.client);
	close_ends(&e);
	return resumed;
}

/* A ticket is good at another worker and after a reload: with other objects. */
static void
sessions_are_resumed_anywhere(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		struct tls *one = new_tls(false, false), *two = new_tls(false, false);
		SSL_SESSION *session = NULL;

		assert_false(is_resumed(one, "x.b.example", versions[i], &session));
		assert_true(is_resumed(one, "x.b.example", versions[i], &session));
		assert_true(is_resumed(two, "x.b.example", versions[i], &session));
		SSL_SESSION_free(session);
		tls_put(one);
		tls_put(two);
	}
}

static void
nobody_renegotiates(void **state)
{
	struct tls *t = new_tls(false, false);
	struct ends e;

	(void)state;
	open_ends(&e, t, NULL);
	SSL_set_max_proto_version(e.client, TLS1_2_VERSION);
	assert_int_equal(shake(&e), TLS_AGAIN);
	(void)SSL_do_handshake(e.client);
	assert_int_equal(SSL_renegotiate(e.client), 1);
	(void)SSL_do_handshake(e.client);
	assert_int_equal(tls_conn_read(e.server, room, sizeof(room)), TLS_AGAIN);
	assert_true(SSL_do_handshake(e.client) <= 0);
	assert_int_equal(ERR_GET_REASON(ERR_peek_last_error()), SSL_R_NO_RENEGOTIATION);
	close_ends(&e);
	tls_put(t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_that_do_not_fit_are_refused),
		cmocka_unit_test(says_when_certificates_expire),
		cmocka_unit_test(the_certificate_fits_the_name),
		cmocka_unit_test(versions_are_what_the_rules_say),
		cmocka_unit_test(alpn_takes_what_both_speak),
		cmocka_unit_test(sessions_are_resumed_anywhere),
		cmocka_unit_test(nobody_renegotiates),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
