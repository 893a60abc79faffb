// SPDX-License-Identifier: GPL-2.0-only
/* web_config*.c, web_tls.c: what a web configuration says, and where it is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "reader.h"
#include "web.h"
#include "webfile.h"

static struct web_config *load(const char *text, struct buf *said)
{
	struct web_files files = {0};
	struct web_config *config;

	put("w.yml", text);
	config = web_config_load(path, &files, said);
	assert_in_range(files.count, 1, WEB_FILES_MAX);
	web_files_clear(&files);
	return config;
}

/* Without an error; @note is all that is said, "" for nothing. */
static struct web_config *right(const char *text, const char *note)
{
	struct buf said = {0};
	struct web_config *config = load(text, &said);

	if (!config || (*note ? !said.data || !strstr(said.data, note) : said.len != 0))
		fail_msg("%s\nsaid: %s", text, said.data ? said.data : "nothing");
	buf_free(&said);
	return config;
}

static void nothing_is_plain_http_for_everybody(void **state)
{
	static const char *const empty[] = {"", "# none\n", "{}", "basic_auth_users: {}\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		struct web_config *config = right(empty[i], "");

		assert_false(config->has_tls);
		assert_int_equal(config->users, 0);
		web_config_put(config);
	}
}

static void every_key_is_kept(void **state)
{
	char text[2048];
	struct web_config *config;

	(void)state;
	snprintf(text, sizeof(text),
		 PAIR "  client_auth_type: RequireAndVerifyClientCert\n"
		      "  client_ca_file: c.pem\n"
		      "  client_allowed_sans: [prometheus.example.org, 192.0.2.1]\n"
		      "  min_version: TLS11\n  max_version: TLS12\n"
		      "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,\n"
		      "    TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA]\n"
		      "  prefer_server_cipher_suites: false\n"
		      "  curve_preferences: [CurveP256, X25519]\n"
		      "http_server_config:\n  http2: false\n  headers:\n"
		      "    Strict-Transport-Security: max-age=31536000\n"
		      "    X-Frame-Options: deny\n    X-Content-Type-Options: nosniff\n"
		      "    Content-Security-Policy: \"default-src 'self'\"\n"
		      "    X-XSS-Protection: \"0\"\n"
		      "basic_auth_users:\n  alice: %s\n  bob: %s\n",
		 hash, hash);
	config = right(text, "");
	assert_true(config->has_tls);
	assert_int_equal(config->tls.client, WEB_CLIENT_VERIFY);
	assert_int_equal(config->tls.sans, 2);
	assert_int_equal(config->tls.min, WEB_TLS11);
	assert_int_equal(config->tls.max, WEB_TLS12);
	assert_int_equal(config->tls.suites, 2);
	assert_int_equal(config->tls.curves, 2);
	assert_false(config->tls.server_order);
	assert_non_null(config->tls.credentials);
	assert_non_null(config->tls.priority);
	assert_int_equal(config->headers, 4); /* nosniff is sent in any case */
	assert_int_equal(config->users, 2);
	assert_string_equal(config->user[1].name, "bob");
	web_config_put(config);
}

static void defaults_are_the_toolkits(void **state)
{
	struct web_config *config = right(PAIR, "");

	(void)state;
	assert_int_equal(config->tls.min, WEB_TLS12);
	assert_int_equal(config->tls.max, WEB_TLS13);
	assert_int_equal(config->tls.client, WEB_CLIENT_NONE);
	assert_true(config->tls.server_order);
	web_config_put(config);
}

/* @pem within the file, in a block of its own. */
static void put_block(struct buf *b, const char *key, const char *pem)
{
	buf_printf(b, "  %s: |\n", key);
	for (const char *line = pem; *line; line += strcspn(line, "\n") + 1)
		buf_printf(b, "    %.*s\n", (int)strcspn(line, "\n"), line);
}

static void a_pair_may_stand_within_the_file(void **state)
{
	struct buf text = {0};
	struct web_config *config;

	(void)state;
	buf_puts(&text, "tls_server_config:\n");
	put_block(&text, "cert", cert_pem);
	put_block(&text, "key", key_pem);
	buf_puts(&text, "  client_auth_type: VerifyClientCertIfGiven\n");
	put_block(&text, "client_ca", cert_pem);
	config = right(text.data, "");
	assert_int_equal(config->tls.client, WEB_CLIENT_IF_GIVEN);
	web_config_put(config);
	buf_free(&text);
}

static void slips_are_noted(void **state)
{
	(void)state;
	web_config_put(right("http_server_config: {http2: true}\n",
			     "w.yml:1:29: HTTP/1.1 is spoken, which"));
	web_config_put(right(PAIR "  client_auth_type: RequireAnyClientCert\n"
				  "  client_allowed_sans: [x]\n",
			     "w.yml:5:24: RequireAnyClientCert verifies no certificate"));
}

static void errors_say_where_and_what_is_right(void **state)
{
	static const char *const rows[][2] = {
		{"tls_server_confg: {}\n", ":1:1: unknown key 'tls_server_confg' of a web "
					   "configuration; did you mean 'tls_server_config'?\n"},
		{"tls_server_config: {}\n", ":1:20: no certificate; expected cert_file, or cert"},
		{"tls_server_config: {min_version: TLS13}\n", ":1:20: no private key; expected "},
		{"tls_server_config:\n", ":1:19: this is a single value; expected "
					 "tls_server_config, as `key: value` lines\n"},
		{"tls_server_config:\n  cert_file: none\n  key_file: k.pem\n",
		 "/none: No such file or directory; name a PEM file that can be read\n"},
		{"tls_server_config:\n  cert_file: /dev/null\n  key_file: k.pem\n",
		 ":2:14: /dev/null: no regular file; name"},
		{"tls_server_config:\n  cert_file: c.pem\n  key_file: other.pem\n",
		 ":2:14: certificate and key cannot be used: "},
		{"tls_server_config:\n  cert_file: rubbish\n  key_file: k.pem\n",
		 ":2:14: certificate and key cannot be used: "},
		{PAIR "  key: x\n", ":4:8: both key and key_file (line 3); expected one of them\n"},
		{PAIR "  client_auth_type: Require\n",
		 ":4:21: 'Require' is no policy; expected RequireAndVerifyClientCert, "},
		{PAIR "  client_ca_file: c.pem\n",
		 ":4:19: an authority of clients, of whom no certificate is asked; expected "
		 "client_auth_type: RequireAndVerifyClientCert as well\n"},
		{PAIR "  client_auth_type: RequireAndVerifyClientCert\n",
		 ":4:21: nothing to verify certificates by; expected client_ca_file or client_ca "},
		{PAIR "  client_auth_type: RequireAndVerifyClientCert\n"
		      "  client_ca_file: rubbish\n",
		 ":5:19: authorities of clients cannot be used: "},
		{PAIR "  client_allowed_sans: [a]\n",
		 ":4:24: names of clients that need no certificate; expected client_auth_type: "},
		{PAIR "  client_auth_type: RequireAndVerifyClientCert\n"
		      "  client_ca_file: c.pem\n  client_allowed_sans: []\n",
		 ":6:24: an empty list; expected a name at least"},
		{PAIR "  min_version: TLS1.2\n",
		 ":4:16: 'TLS1.2' is no TLS version; expected TLS13, TLS12, TLS11 or TLS10\n"},
		{PAIR "  min_version: SSL30\n", ":4:16: 'SSL30' is no TLS version"},
		{PAIR "  min_version: TLS13\n  max_version: TLS12\n",
		 ":4:16: min_version is above max_version"},
		{PAIR "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n",
		 ":4:19: 'TLS_RSA_WITH_RC4_128_SHA' is not supported; expected an IANA name"},
		/* GnuTLS would make four suites of these two */
		{PAIR "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "
		      "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n",
		 ":4:18: GnuTLS would allow TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 as well: "},
		{PAIR "  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA]\n",
		 ":4:18: no cipher suite of TLS 1.3 is left; set max_version: TLS12, or list "},
		{PAIR "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n",
		 ":4:18: no cipher suite of TLS 1.2 is left; raise min_version"},
		{PAIR "  min_version: TLS10\n"
		      "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n",
		 ":5:18: no cipher suite of TLS 1.0 and 1.1 is left; raise min_version"},
		{PAIR "  curve_preferences: [CurveP224]\n",
		 ":4:23: 'CurveP224' is not supported; expected X25519, "},
		{PAIR "  prefer_server_cipher_suites: maybe\n",
		 ":4:32: 'maybe' is neither; expected true or false\n"},
		{PAIR "  sni: x\n",
		 ":4:3: unknown key 'sni' of tls_server_config; expected one of "},
		{"http_server_config: {http2: 2}\n", ":1:29: '2' is neither; expected true or "},
		{"http_server_config: {headers: {Server: x}}\n",
		 ":1:32: unknown key 'Server' of the headers; expected one of Content-Security"},
		{"http_server_config: {headers: {X-Frame-Options: allow}}\n",
		 ":1:49: 'allow' is neither; expected deny or sameorigin\n"},
		{"http_server_config: {headers: {X-Content-Type-Options: sniff}}\n",
		 ":1:56: 'sniff' has no meaning; expected nosniff\n"},
		{"http_server_config: {headers: {X-XSS-Protection: \"1\\r\\nX: y\"}}\n",
		 ":1:50: byte 2 is 0x0d; expected X-XSS-Protection of printable ASCII\n"},
		{"basic_auth_users: [alice]\n", ":1:19: this is a list; expected users, as "},
		{"basic_auth_users: {alice: secret}\n",
		 ":1:27: this is not taken as a hash; expected a bcrypt hash of 60 characters"},
		{"basic_auth_users:\n  alice: "
		 "$2b$15$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u\n",
		 ":2:10: this is not taken as a hash; expected a cost of 04 to 14: "},
		{"basic_auth_users:\n  alice: "
		 "$2x$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u\n",
		 ":2:10: this is not taken as a hash; expected a bcrypt hash"},
		{"basic_auth_users:\n  'a:b': "
		 "$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u\n",
		 ":2:3: user 'a:b' has a colon"},
		{"basic_auth_users:\n"
		 "  a: $2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u\n"
		 "  a: $2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u\n",
		 ":3:3: user 'a' a second time; expected once\n"},
		{"rate_limit: {interval: 1s}\n", ":1:13: rate_limit is not supported; leave it "},
		{"auth_excluded_paths: [/]\n", ":1:1: unknown key 'auth_excluded_paths' of a web "},
		{"a: [\n", ":2:1: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf said = {0};
		struct web_config *config = load(rows[i][0], &said);

		if (config || !said.data || strncmp(said.data, path, strlen(path)) ||
		    !strstr(said.data, rows[i][1]) || strstr(said.data, "secret"))
			fail_msg("%s\nsaid: %s\nwant: %s", rows[i][0],
				 said.data ? said.data : "nothing", rows[i][1]);
		buf_free(&said);
	}
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	static const char *const rows[][2] = {
		{"/nonexistent/w.yml", "/nonexistent/w.yml: No such file or directory; give a file "
				       "that can be read\n"},
		{"/", "/: no regular file; give a file that can be read\n"},
		{"/dev/zero", "/dev/zero: no regular file; give a file that can be read\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf said = {0};

		assert_null(web_open(rows[i][0], &said));
		assert_string_equal(said.data, rows[i][1]);
		buf_free(&said);
	}
}

static void it_is_described(void **state)
{
	char text[512];
	struct web_config *config;
	struct buf out = {0};

	(void)state;
	snprintf(text, sizeof(text), PAIR "  min_version: TLS13\nbasic_auth_users: {alice: %s}\n",
		 hash);
	config = right(text, "");
	web_config_describe(config, &out);
	assert_string_equal(out.data, "HTTPS by TLS 1.3; no certificate is asked of clients\n"
				      "a password is asked; users: alice\n");
	buf_free(&out);
	web_config_put(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_plain_http_for_everybody),
		cmocka_unit_test(every_key_is_kept),
		cmocka_unit_test(defaults_are_the_toolkits),
		cmocka_unit_test(a_pair_may_stand_within_the_file),
		cmocka_unit_test(slips_are_noted),
		cmocka_unit_test(errors_say_where_and_what_is_right),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(it_is_described),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
