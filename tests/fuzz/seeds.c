// SPDX-License-Identifier: GPL-2.0-only
/*
 * seeds - what the fuzzers begin with, made by craft.h. usage: seeds DIRECTORY
 *
 * Writes DIRECTORY/frames, hello, capture, text and library_look, which must be there.
 */
#include "check.h"

#include "capture_file.h"
#include "gofile.h"
#include "sofile.h"

static const char *directory;

static void seed(const char *harness, const void *data, size_t len)
{
	static unsigned int number;
	char name[512];
	FILE *f;

	snprintf(name, sizeof(name), "%s/%s/seed%03u", directory, harness, number++);
	f = fopen(name, "wb");
	CHECK(f && fwrite(data, 1, len, f) == len && !fclose(f));
}

/* ---- hellos ---- */

static struct craft ext, shares, body;

static void extensions(bool client)
{
	ext.len = shares.len = 0;
	craft_ext(&ext, 0x3a3a, NULL, 0);
	if (client) {
		craft_sni(&ext, BYTES("a.example"));
		craft_share(&shares, AS_GROUP_X25519_MLKEM768, 8);
		craft_share(&shares, 0x001d, 32);
		craft_shares(&ext, &shares);
		craft_versions(&ext, BYTES("\x2a\x2a\x03\x04\x03\x03"));
		craft_alpn(&ext, BYTES("\x02\x1a\x1a\x02h2\x08http/1.1"));
		craft_ext(&ext, AS_EXT_ECH, BYTES("\0\0\1\0\1\0\0\4abcd\0\4abcd"));
		craft_ext(&ext, AS_EXT_NPN, NULL, 0);
	} else {
		craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, BYTES("\x03\x04"));
		craft_ext(&ext, AS_EXT_KEY_SHARE, BYTES("\x00\x1d\0\4abcd"));
		craft_alpn(&ext, BYTES("\x02h2"));
	}
	craft_ext(&ext, AS_EXT_SESSION_TICKET, NULL, 0);
}

static void hello_seed(bool client, const uint8_t *random, uint16_t version, bool block)
{
	const struct craft_hello h = {.random = random,
				      .version = version,
				      .session_id = "0123456789abcdef",
				      .session_id_len = 16,
				      .ext = block ? &ext : NULL};

	body.len = 0;
	craft_number(&body, !client, 1);
	if (client)
		craft_client_body(&body, &h);
	else
		craft_server_body(&body, &h);
	seed("hello", body.at, body.len);
}

static void hellos(void)
{
	for (int client = 0; client < 2; client++) {
		extensions(client);
		hello_seed(client, craft_random(1), 0, true);
		hello_seed(client, craft_random(2), 0, false);
		hello_seed(client, craft_retry, 0x0301, true);
		for (uint32_t i = 0; i < 63; i++)
			craft_ext(&ext, (uint16_t)(0x6000 + i), NULL, 0);
		hello_seed(client, craft_random(3), 0, true);
		ext.len = 0;
		craft_zero(&body, 300);
		craft_alpn(&ext, body.at + body.len - 300, 300);
		hello_seed(client, craft_random(4), 0, true);
	}
}

/* ---- frames, as fuzz_frames.c reads them ---- */

static struct craft frames;

static void frame(uint8_t control, uint8_t flags, uint16_t delta, uint16_t len)
{
	const uint8_t head[] = {control,	flags,
				(uint8_t)delta, (uint8_t)(delta >> 8),
				(uint8_t)len,	(uint8_t)(len >> 8)};

	craft_put(&frames, head, sizeof(head));
}

/* @len bytes of message @which, from @from on. */
static void piece(uint8_t control, uint16_t delta, uint8_t which, uint16_t from, uint16_t len)
{
	frame(control | 16, AS_TCP_ACK, delta, len);
	craft_number(&frames, which, 1);
	craft_put(&frames, (const uint8_t[]){(uint8_t)from, (uint8_t)(from >> 8)}, 2);
}

static void connect(uint8_t other)
{
	frame(1 | other, AS_TCP_SYN, 0, 0);
	frame(other, AS_TCP_SYN | AS_TCP_ACK, 0, 0);
}

static void frames_done(void)
{
	seed("frames", frames.at, frames.len);
	frames.len = 0;
}

/* The hello @which in two pieces, in order or not, then the answer likewise. */
static void split(uint8_t which, uint8_t answer, uint16_t at, bool swapped)
{
	connect(2 * (which % 2));
	if (swapped) {
		piece(1 | 8, (uint16_t)(1 + at), which, at, 2000);
		piece(1 | 8, 1, which, 0, at);
	} else {
		piece(1, 0, which, 0, at);
		piece(1, 0, which, at, 2000);
	}
	piece(0, 0, answer, 0, at);
	piece(0, 0, answer, at, 2000);
	frames_done();
}

static void frame_seeds(void)
{
	static const uint16_t places[] = {1, 4, 10, 30, 48, 60};

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		split(0, 4, places[i], i % 2);
		split(1, 2, places[i], !(i % 2));
	}
	connect(0); /* a retry */
	piece(1, 0, 0, 0, 2000);
	piece(0, 0, 3, 0, 2000);
	piece(1, 0, 0, 0, 2000);
	piece(0, 0, 2, 0, 2000);
	frames_done();
	piece(1, 0, 1, 0, 2000); /* an alert; a close; time */
	piece(0, 0, 5, 0, 2000);
	piece(1 | 2, 0, 0, 0, 2000);
	frame(2, AS_TCP_RST | AS_TCP_ACK, 0, 0);
	piece(1 | 2, 0, 1, 0, 40);
	frame(1 | 2 | 32, AS_TCP_FIN | AS_TCP_ACK, 0, 0);
	craft_number(&frames, 200, 1);
	piece(1 | 64, 0, 0, 0, 2000);
	craft_number(&frames, 40, 1);
	frames_done();
}

/* Whole frames with headers that the engine knows. */
static void raw_seeds(void)
{
	static struct craft made, hello;

	extensions(true);
	for (uint32_t i = 0; i < 6; i++) {
		struct craft_conn c = i % 2 ? craft_ipv6(i) : craft_ipv4(i);

		hello.len = 0;
		craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(i),
								 .ext = i % 3 ? &ext : NULL});
		c.bare = i / 2 == 1;
		c.tag = i / 2 == 2 ? AS_ETH_P_8021AD : 0;
		c.ip_options = i == 4 ? 8 : 0;
		craft_frame(&made, &c,
			    &(struct craft_segment){.from_client = true,
						    .flags = AS_TCP_ACK,
						    .data = hello.at,
						    .len = hello.len});
		frame(c.bare ? 4 | 8 : 4, 0, 0, (uint16_t)made.len);
		craft_put(&frames, made.at, made.len);
		frames_done();
	}
}

/* ---- captures ---- */

static void capture(uint32_t link, bool big, bool nano, bool ng)
{
	static struct craft made, hello;
	struct craft_conn c = craft_ipv4(1);
	struct bytes b = {.big = big};

	hello.len = 0;
	craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(1), .ext = &ext});
	c.bare = link != LINK_ETHERNET;
	craft_frame(&made, &c,
		    &(struct craft_segment){.from_client = true,
					    .flags = AS_TCP_ACK,
					    .data = hello.at,
					    .len = hello.len});
	if (ng) {
		section(&b);
		interface(&b, (uint16_t)link, 65535, nano ? 9 : 0);
		packet(&b, 0, UINT64_C(1700000000000000), made.at, made.len, made.len + 4);
	} else {
		pcap_header(&b, nano ? MAGIC_NANO : MAGIC_MICRO, link);
		pcap_frame(&b, SEC, 999999, made.at, made.len, made.len + 4);
		pcap_frame(&b, SEC, 1, made.at, 20, made.len);
	}
	seed("capture", b.at, b.len);
}

static void captures(void)
{
	static const uint32_t links[] = {0, 1, 101, 108, 113, 228, 229, 276, 105};

	extensions(true);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		for (unsigned int kind = 0; kind < 8; kind++)
			capture(links[i], kind & 1, kind & 2, kind & 4);
}

/* ---- text: a byte that tells which, and the text ---- */

static void texts(void)
{
	static const char *const rows[] = {
		"\1h2",
		"\1"
		"8443=h2,http/1.1",
		"\1h2,,x",
		"\1"
		"99999=h2",
		"\x12h2\\x00",
		"\x10"
		"1h",
		"\x13"
		"500ms",
		"\x14"
		"65535",
		"\x15[::1]:10035",
		"\x16"
		"127.0.0.1:0",
		"\x17/run/x.sock",
		"\x18/metrics",
		"\x19*.example",
		"\x1anegotiated",
		"\x1bjson",
		"\x1c"
		"any",
		"\x1d"
		"fallback",
		"\x80watch",
		"\x80watch output=json color=1 count=5 port=443 port=8443 sni=%2A.example alpn=h2",
		"\x80watch outcome=negotiated outcome=ignored fallback_only=1",
		"\x80watch sni=a%20b%25%0a",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		seed("text", rows[i], strlen(rows[i]));
}

/* ---- executable files ---- */

static void libraries(void)
{
	uint8_t file[GO_SIZE > SO_SIZE ? GO_SIZE : SO_SIZE];

	for (int sections = 0; sections < 3; sections++)
		for (int relocated = 0; relocated < 2; relocated++) {
			go_file(file, &(struct go_options){0xfffffff1, relocated, sections});
			seed("library_look", file, GO_SIZE);
		}
	so_file(file, so_openssl, 3, SHT_DYNSYM);
	seed("library_look", file, SO_SIZE);
	so_file(file, so_openssl, 3, SHT_SYMTAB);
	seed("library_look", file, SO_SIZE);
	so_file(file, so_gnutls, 2, SHT_DYNSYM);
	seed("library_look", file, SO_SIZE);
}

/* ---- files: a byte that tells which, and the file ---- */

static void files(void)
{
	static const char *const rows[] = {
		"#",
		"#services:\n- {name: a, port: 443, expect: h2}\n",
		"#services:\n- name: a\n  port: [443, 8443]\n  sni: '*.x'\n  role: [server, "
		"client]\n",
		"#services:\n- unit: 'a*'\n  cgroup: /a/*\n  container: [b, c]\n  expect: []\n",
		"#services:\n- address: [10.0.0.0/8, '::1']\n  exempt_clients: 10.0.0.1\n",
		"#exempt_clients: ['2001:db8::/32', 192.0.2.1]\n",
		"#labels: {server_address: 100}\n",
		"#services: [&a {name: x, port: 1}, *a]\n",
		"#services:\n- &a [*a]\n",
		"#servces: {nme: [1, {2: 3}]}\n--- 2\n",
		"#? [a, b]\n: !!binary x\n",
		"#a: *b\n",
		"#\tx\n",
		"#services:\n- name: >\n    folded\n  expect: [\"h\\x32\", !t h3]\n",
		"%tls_server_config:\n  cert: x\n  key_file: k\n  client_auth_type: "
		"RequireAndVerifyClientCert\n  client_ca: |\n    x\n    y\n"
		"  client_allowed_sans: [a, b]\n  min_version: TLS12\n  max_version: TLS13\n"
		"  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n"
		"  prefer_server_cipher_suites: true\n  curve_preferences: [X25519]\n",
		"%http_server_config:\n  http2: true\n  headers:\n    X-Frame-Options: deny\n"
		"    Strict-Transport-Security: a\nbasic_auth_users:\n  a: "
		"$2b$10$abcdefghijklmnopqrstuuqflPDzB6gcMhKa1rZqKiun2YGL5sa2u\n",
		"\377alpnscope-observed 1\nserver 443 h2 nginx www.example.org\nend 1\n",
		"\377alpnscope-observed 1\nclient 1 http/1.1 a\\x20b -\ntransit 2 h3 \\x2d "
		"\\xff\nend 2\n",
		"\377alpnscope-observed 2\n",
		"\377alpnscope-observed 1\nserver 443 h2 nginx\nend 1",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		seed("config", rows[i], strlen(rows[i]));
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return 2;
	}
	directory = argv[1];
	hellos();
	frame_seeds();
	raw_seeds();
	captures();
	texts();
	libraries();
	files();
	return 0;
}
