// SPDX-License-Identifier: GPL-2.0-only
/* What explain says, whose order it finds, and what it advises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "advice.h"
#include "alpnscope/wire.h"
#include "explain.h"
#include "sample.h"

static void assert_text(struct buf *b, const char *want)
{
	assert_string_equal(b->data ? b->data : "", want);
	buf_free(b);
}

static const char whole[] =
	"nginx.service:443 (server): FALLS BACK, and it is the server's doing\n"
	"  seen       2 handshakes, 2026-01-02 03:04:05 to 2026-01-02 03:05:05\n"
	"  chosen     h2 1, http/1.1 1\n"
	"  outcomes   negotiated 2\n"
	"  known by   server_hello 2\n"
	"  not known  0 undetermined (answered, encrypted), 0 incomplete (no answer was "
	"seen)\n"
	"  expected   h2 (configured)\n"
	"  fallbacks  at least 1, at most 1 of 2: server_declined 1\n"
	"  the last   2026-01-02 03:05:05: 10.0.0.9 offered h2,http/1.1 to "
	"www.example.org, got http/1.1 (TLS 1.2, server_hello)\n"
	"  since then never as expected; before, the last time 2026-01-02 03:04:05\n"
	"  order      no one rule (server names differ, or its configuration changed): h2 "
	"first got h2 1, http/1.1 1 times; http/1.1 first got h2 0, http/1.1 0 times\n"
	"  clients    10.0.0.1 1, 10.0.0.9 1\n"
	"  fell back  10.0.0.9 1\n"
	"  fix        nginx: have it choose h2\n"
	"               server { listen 443 ssl; http2 on; }      # 1.25.1 and later\n"
	"               server { listen 443 ssl http2; }          # before 1.25.1\n"
	"               nginx -t && nginx -s reload\n"
	"  verify     openssl s_client -connect 10.0.0.2:443 -servername www.example.org "
	"-alpn h2,http/1.1 </dev/null 2>&1 | grep -i -e alpn -e 'application protocol'\n"
	"               # as seen: ALPN protocol: http/1.1\n"
	"             curl -skv -o /dev/null --max-time 5 --noproxy '*' --http2 --resolve "
	"www.example.org:443:10.0.0.2 https://www.example.org:443/ 2>&1 | grep -i -e alpn "
	"-e 'application protocol'\n"
	"               # as seen: server accepted http/1.1\n";

static void test_whole(void **state)
{
	struct report *r = report_new(4);
	struct buf b = {0};
	struct sample s;

	(void)state;
	sample_init(&s);
	strcpy(s.ev.side[0].work.process, "nginx");
	sample_expect(&s, "h2", CAUSE_NONE);
	report_event(r, &s.ev);
	s.ev.wall_ns += INT64_C(60000000000);
	s.hs.client_addr[15] = 9;
	SAMPLE_NAMES(&s, "www.example.org", "\x02h2\x08http/1.1", "\x08http/1.1");
	sample_judge(&s);
	sample_expect(&s, "h2", CAUSE_SERVER_DECLINED);
	report_event(r, &s.ev);
	explain(r->services, &b);
	assert_text(&b, whole);
	report_free(r);
}

static struct report_service service(uint64_t a, uint64_t b, uint64_t c, uint64_t d)
{
	struct report_service s = {.order = {{a, b}, {c, d}}, .key.role = ROLE_SERVER};

	return s;
}

static void chose(struct report_service *s, const char *label)
{
	s->mix.tally[s->mix.used++] = (struct report_tally){label, 1};
}

static void assert_order(const struct report_service *s, const char *want)
{
	struct buf b = {0};

	explain_order(s, &b);
	assert_memory_equal(b.data, want, strlen(want));
	buf_free(&b);
}

/* h2 listed first: got h2, got http/1.1; http/1.1 listed first: got h2, got http/1.1. */
static void test_order(void **state)
{
	struct report_service s = service(0, 0, 0, 0);

	(void)state;
	assert_order(&s, "cannot be told: no choice is known");
	s = service(5, 0, 0, 0);
	assert_order(&s, "cannot be told: all 5 that offered both listed h2 first and got it");
	s = service(0, 0, 0, 5);
	assert_order(&s, "cannot be told: all 5 that offered both listed http/1.1 first and got "
			 "it");
	s = service(5, 0, 0, 4);
	assert_order(&s, "the client's: 5 listed h2 first and got it, 4 listed http/1.1 first and "
			 "got that");
	s = service(5, 0, 4, 0);
	assert_order(&s, "the server's, or it does not speak the other: it chose h2 for 4 that "
			 "listed http/1.1 first");
	chose(&s, "http/1.1");
	assert_order(&s, "the server's: it chose h2 for 4 that listed http/1.1 first, and it "
			 "speaks both");
	s = service(0, 3, 0, 2);
	assert_order(&s, "the server's, or it does not speak the other: it chose http/1.1 for 3 "
			 "that listed h2 first");
	chose(&s, "h2");
	assert_order(&s, "the server's: it chose http/1.1 for 3");
	s = service(1, 1, 0, 0);
	assert_order(&s, "no one rule");
	s = service(0, 0, 1, 1);
	assert_order(&s, "no one rule");
	s = service(0, 1, 1, 0);
	assert_order(&s, "no one rule");
	s = service(5, 0, 4, 0);
	s.key.role = ROLE_CLIENT;
	s.peers.used = 2;
	assert_order(&s, "not told: it called several servers");
	s.peers.used = 1;
	assert_order(&s, "the server's");
}

static void assert_fix(const char *name, bool server, const char *title, const char *line)
{
	struct buf b = {0};

	assert_string_equal(advice_title(name, server), title);
	advice_fix(&b, name, server, 4443, "> ");
	assert_non_null(strstr(b.data, line));
	for (const char *at = b.data; *at; at = strchr(at, '\n') + 1) {
		assert_memory_equal(at, "> ", 2);
		assert_true(strcspn(at, "\n") <= 100);
	}
	buf_free(&b);
}

static void test_programs(void **state)
{
	(void)state;
	assert_fix("nginx", true, "nginx", "> server { listen 4443 ssl; http2 on; }");
	assert_fix("nginx.service", true, "nginx", "> server { listen 4443 ssl http2; }");
	assert_fix("apache2", true, "Apache httpd", "> Protocols h2 http/1.1");
	assert_fix("httpd", true, "Apache httpd", "> Protocols h2 http/1.1");
	assert_fix("haproxy", true, "haproxy", "> bind :4443 ssl crt FILE alpn h2,http/1.1\n");
	assert_fix("node", true, "Node.js",
		   "> http2.createSecureServer({ key, cert, allowHTTP1: true");
	assert_fix("java", true, "Java", "org.apache.coyote.http2.Http2Protocol");
	assert_fix("caddy", true, "Caddy", "protocols h1 h2 h3");
	assert_fix("traefik", true, "Traefik", "alpnProtocols: [h2, http/1.1]");
	assert_fix("envoy", true, "Envoy", "alpn_protocols: [h2, http/1.1]");
	assert_fix("python3.11", true, "Python", "set_alpn_protocols([\"h2\", \"http/1.1\"])");
	assert_fix("gunicorn: master", true, "gunicorn", "--http-protocols h2,h1");
	assert_fix("lighttpd", true, "lighttpd", "\"server.h2proto\" => \"enable\"");
	assert_fix("nginx", false, "nginx as a client", "> proxy_http_version 2;");
	assert_fix("haproxy", false, "haproxy as a client", "ssl alpn h2,http/1.1");
	assert_fix("curl", false, "curl", "> curl --http2");
	/* others only begin like one of these */
	assert_fix("node_exporter", true, "this server",
		   "NextProtos: []string{\"h2\", \"http/1.1\"}");
	assert_fix("", true, "this server", "SSL_CTX_set_alpn_select_cb()");
	assert_fix("javac", false, "this client", "ForceAttemptHTTP2");
}

static void assert_commands(const struct advice_target *t, const char *openssl, const char *curl)
{
	static const char tail[] = " 2>&1 | grep -i -e alpn -e 'application protocol'";
	struct buf b = {0};

	advice_openssl(&b, t);
	assert_int_equal(strlen(openssl) + strlen(" </dev/null") + strlen(tail), b.len);
	assert_memory_equal(b.data, openssl, strlen(openssl));
	buf_free(&b);
	assert_int_equal(advice_curl(&b, t), curl != NULL);
	if (curl) {
		assert_int_equal(strlen(curl) + strlen(tail), b.len);
		assert_memory_equal(b.data, curl, strlen(curl));
	}
	buf_free(&b);
}

#define CURL "curl -skv -o /dev/null --max-time 5 --noproxy '*' "

static void test_commands(void **state)
{
	(void)state;
	assert_commands(&(struct advice_target){"::1", 8443, "a-b.example", "h2,http/1.1"},
			"openssl s_client -connect [::1]:8443 -servername a-b.example -alpn "
			"h2,http/1.1",
			CURL "--http2 --resolve a-b.example:8443:[::1] https://a-b.example:8443/");
	assert_commands(&(struct advice_target){"10.0.0.2", 443, "", "http/1.1"},
			"openssl s_client -connect 10.0.0.2:443 -noservername -alpn http/1.1",
			CURL "--http1.1 https://10.0.0.2:443/");
	assert_commands(&(struct advice_target){"fd00::1", 443, "", "http/1.1,h2"},
			"openssl s_client -connect [fd00::1]:443 -noservername -alpn http/1.1,h2",
			NULL);
	/* what no offer was seen of, or no plain word, is stood in for */
	assert_commands(&(struct advice_target){"10.0.0.2", 443, "", "-"},
			"openssl s_client -connect 10.0.0.2:443 -noservername -alpn h2,http/1.1",
			CURL "--http2 https://10.0.0.2:443/");
}

/* Nothing from the wire may be more to a shell than a word. */
static void test_hostile_words(void **state)
{
	static const char *const names[] = {"$(reboot)", "a;b", "-msg",	     "a b", "a`b`", "a'b",
					    "a\\x0a",	 "a|b", "../../etc", "a&b", "a>b",  "*"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_false(advice_is_host(names[i]));
		assert_commands(&(struct advice_target){"10.0.0.2", 443, names[i], "h2,http/1.1"},
				"openssl s_client -connect 10.0.0.2:443 -noservername -alpn "
				"h2,http/1.1",
				CURL "--http2 https://10.0.0.2:443/");
		assert_commands(&(struct advice_target){"10.0.0.2", 443, "", names[i]},
				"openssl s_client -connect 10.0.0.2:443 -noservername -alpn "
				"h2,http/1.1",
				CURL "--http2 https://10.0.0.2:443/");
	}
	assert_true(advice_is_host("www.example.org"));
	assert_false(advice_is_host("_a.example"));
}

static int set_utc(void **state)
{
	(void)state;
	return setenv("TZ", "UTC0", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),	      cmocka_unit_test(test_order),
		cmocka_unit_test(test_programs),      cmocka_unit_test(test_commands),
		cmocka_unit_test(test_hostile_words),
	};

	return cmocka_run_group_tests(tests, set_utc, NULL);
}
