// SPDX-License-Identifier: GPL-2.0-only
/* 100,000 handshakes with as many server names and protocols, ports where they can be invented,
 * through all that an agent keeps: the caps of docs/METRICS.md, and who is exact all the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "flights.h"
#include "pipeline.h"
#include "metrics.h"
#include "services.h"

#define FLOOD 100000
#define OURS 3000 /* handshakes of each that must be exact: these two, and the first in transit */
#define SHOP 9443 /* the configured service; nobody listens there */
#define LABELS 50
#define AGAIN 79 /* ports and processes of each kind that come again and again */
#define FIXED_SERIES 200 /* those that tell of the observer itself, and the delays */
#define MEMORY (64 << 20) /* of the heap, as docs/METRICS.md has it for the tables */

/* AddressSanitizer's: bytes on the heap (sanitizer/allocator_interface.h, which gcc lacks). */
size_t __sanitizer_get_current_allocated_bytes(void);

/* An agent without a kernel, and what the test knows itself. */
struct rig {
	struct pipeline p;
	struct services services;
	struct options opt;
	char config[64];
	int socket;
	uint16_t port; /* where somebody listens */
	char listener[SERVICE_NAME_MAX];
	size_t heap;
	uint32_t number;
};

enum kind { TRANSIT, NOBODY, DIALLING, ENCRYPTED, INTERCEPTED, KINDS };

static bool is_local(const void *arg, unsigned int ifindex, const uint8_t addr[16])
{
	(void)arg;
	(void)ifindex;
	return addr[12] == 127;
}

static void on_listener(void *arg, const struct identity_listener *l)
{
	struct rig *r = arg;

	services_listener(&r->services, l);
	if (l && l->port == r->port)
		workload_name(l->work, r->listener, sizeof(r->listener));
}

static void answers_are_there(void *arg)
{
	(void)arg;
}

static void listen_somewhere(struct rig *r)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at);

	r->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(r->socket, (struct sockaddr *)&at, size), 0);
	assert_int_equal(listen(r->socket, 1), 0);
	assert_int_equal(getsockname(r->socket, (struct sockaddr *)&at, &size), 0);
	r->port = ntohs(at.sin_port);
}

static void write_config(struct rig *r)
{
	FILE *f;
	int fd;

	strcpy(r->config, "/tmp/alpnscope-flood-XXXXXX");
	fd = mkstemp(r->config);
	f = fdopen(fd, "w");
	assert_non_null(f);
	fprintf(f,
		"services: [{name: shop, port: %d, expect: h2}]\n"
		"labels: {server_address: %d}\n",
		SHOP, LABELS);
	assert_int_equal(fclose(f), 0);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	*state = r;
	listen_somewhere(r);
	write_config(r);
	r->heap = __sanitizer_get_current_allocated_bytes();
	r->opt.config = r->config;
	r->p = (struct pipeline){.identity = identity_new(is_local, NULL),
				 .aggregate = aggregate_new(AGGREGATE_SERIES_DEFAULT),
				 .report = report_new(REPORT_SERVICES_MAX),
				 .answers = answers_new(ANSWERS_MAX),
				 .answers_read = answers_are_there};
	assert_int_equal(services_open(&r->services, &r->opt, r->p.aggregate, NULL), 0);
	services_report(&r->services, r->p.report);
	r->p.book = r->services.book;
	identity_on_listener(r->p.identity, on_listener, r);
	assert_int_equal(pipeline_merge(&r->p), 0);
	identity_look(r->p.identity);
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	identity_free(r->p.identity);
	services_close(&r->services);
	learn_free(r->p.learn);
	aggregate_free(r->p.aggregate);
	report_free(r->p.report);
	answers_free(r->p.answers);
	merge_free(r->p.merge);
	close(r->socket);
	unlink(r->config);
	free(r);
	return 0;
}

static uint64_t real_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void address(uint8_t addr[16], uint8_t first, uint32_t number)
{
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	addr[12] = first;
	addr[13] = (uint8_t)(number >> 16);
	addr[14] = (uint8_t)(number >> 8);
	addr[15] = (uint8_t)number;
}

/* Name and protocol of no other handshake; @chosen: as the only name, or "" for none. Ours are
 * offered all three; the label `offered` tells the best. */
static void put_names(struct as_handshake *hs, uint32_t number, const char *known,
		      const char *chosen)
{
	char sni[32], offer[64];

	snprintf(sni, sizeof(sni), "s%u.example", number);
	snprintf(offer, sizeof(offer), "%sproto-%u", known, number);
	hs->sni_len = (__u16)strlen(sni);
	memcpy(hs->names, sni, hs->sni_len);
	offer_names(hs, offer);
	if (*chosen) {
		uint8_t *to = hs->names + hs->sni_len + hs->alpn_len;

		to[0] = (uint8_t)strlen(chosen);
		memcpy(to + 1, chosen, to[0]);
		hs->selected_len = to[0] + 1;
		hs->server_ext |= AS_X_ALPN;
	}
}

/* A handshake that has no other's randoms; TLS 1.2 unless it chose nothing in clear. */
static struct as_handshake handshake(struct rig *r, uint16_t port, const char *known,
				     const char *chosen)
{
	uint32_t number = ++r->number;
	/* one length for all, so that nothing is learned of it */
	struct as_handshake hs = tls13(NULL, SNI, "1200/0 413/1", "69/1 86/1");

	if (*chosen) {
		hs.server_version = AS_TLS12;
		memset(&hs.server_flight, 0, sizeof(hs.server_flight));
		memset(&hs.client_flight, 0, sizeof(hs.client_flight));
	}
	put_names(&hs, number, known, chosen);
	address(hs.client_addr, 10, number);
	address(hs.server_addr, 127, 1);
	hs.client_port = (uint16_t)(1024 + number % 60000);
	hs.server_port = port;
	hs.client_seq = number;
	hs.client_ack = 815;
	hs.hello_ns = hs.server_ns = hs.end_ns = real_now();
	memcpy(hs.client_random, &number, sizeof(number));
	memcpy(hs.server_random, &number, sizeof(number));
	hs.size = (__u16)(offsetof(struct as_handshake, names) + hs.sni_len + hs.alpn_len +
			  hs.selected_len);
	return hs;
}

static void own(struct as_owner *o, uint32_t number)
{
	o->cookie = 1 + number;
	o->pid = (uint32_t)getpid();
	snprintf(o->comm, sizeof(o->comm), "p%u", number);
}

/* Tells ports and processes apart: at first each is new, then the first ones come again, for more
 * series of each. */
static uint32_t whose(const struct rig *r, enum kind kind)
{
	return r->number < FLOOD / 2 ? r->number : r->number / KINDS % AGAIN * KINDS + kind;
}

/* A port that is neither of the two whose numbers must be exact. */
static uint16_t other_port(const struct rig *r, uint32_t who)
{
	uint16_t port = (uint16_t)(1 + who % 65535);

	return port == r->port || port == SHOP ? 1 : port;
}

static const char *choice(uint32_t number, char own[32])
{
	static const char *const names[] = {"h2",   "http/1.1", "imap",	       "pop3",
					    "stun", "mqtt",	"xmpp-client", "dot"};

	number /= KINDS * 4;
	if (number % 9 < 8)
		return names[number % 9];
	snprintf(own, 32, "proto-%u", number);
	return own;
}

static void flood(struct rig *r, enum kind kind)
{
	static const char *const known[] = {"h2,http/1.1,", "http/1.1,", "", "h3,h2,"};
	uint32_t who = whose(r, kind);
	struct as_handshake hs;
	char name[32];

	hs = handshake(r, other_port(r, who), known[r->number / KINDS % 4],
		       kind == ENCRYPTED ? "" : choice(r->number, name));
	if (kind != NOBODY && kind != INTERCEPTED)
		address(hs.server_addr, 198, r->number);
	if (kind == DIALLING)
		own(&hs.client, who);
	if (kind == INTERCEPTED) /* as a transparent proxy has it: its socket, anybody's port */
		own(&hs.server, who);
	pipeline_record(&r->p, &hs);
}

static void answer(struct rig *r)
{
	struct as_library_answer a = {.word = AS_LIBRARY_ANSWER,
				      .time_ns = real_now(),
				      .how = AS_LIBRARY_OUT,
				      .name_len = 2,
				      .name = "h2"};

	memset(a.random, 0xaa, sizeof(a.random)); /* of no handshake */
	memcpy(a.random, &r->number, sizeof(r->number));
	answers_add(r->p.answers, &a);
}

/* One each of those that must be exact: every third handshake is declined. */
static void ours(struct rig *r, unsigned int i)
{
	struct as_handshake hs = handshake(r, SHOP, "h2,http/1.1,", i % 3 ? "h2" : "http/1.1");

	pipeline_record(&r->p, &hs);
	hs = handshake(r, SHOP, "h2,http/1.1,", i % 3 ? "h2" : "http/1.1");
	address(hs.server_addr, 198, i);
	pipeline_record(&r->p, &hs);
	hs = handshake(r, r->port, "h2,http/1.1,", i % 3 ? "h2" : "http/1.1");
	hs.server.cookie = 7;
	pipeline_record(&r->p, &hs);
}

static uint64_t total(const struct series *table, const char *service, enum role role,
		      uint16_t port, const char *protocol)
{
	uint64_t sum = 0;

	for (const struct series *s = table; s; s = s->hh.next)
		if ((!service || !strcmp(s->id.service, service)) &&
		    (!port || (s->id.port == port && s->id.role == role)) &&
		    (!protocol || !strcmp(s->id.protocol, protocol)))
			sum += s->count;
	return sum;
}

static const struct service_series *service_at(const struct rig *r, enum role role, uint16_t port)
{
	for (const struct series *s = r->p.aggregate->services; s; s = s->hh.next)
		if (s->id.port == port && s->id.role == role)
			return (const struct service_series *)s;
	return NULL;
}

static void is_exact(const struct rig *r, const char *name, enum role role, uint16_t port)
{
	const struct service_series *s = service_at(r, role, port);
	const struct series *all = r->p.aggregate->handshakes;

	assert_non_null(s);
	assert_string_equal(s->series.id.service, name);
	assert_int_equal(s->series.count, OURS);
	assert_int_equal(total(all, name, role, port, "h2"), OURS / 3 * 2);
	assert_int_equal(total(all, name, role, port, "http/1.1"), OURS / 3);
	assert_int_equal(total(all, name, role, port, NULL), OURS);
}

static unsigned int series(struct rig *r)
{
	struct metrics_self self = {.version = "", .libbpf = "", .hook = ""};
	struct buf out = {0};
	unsigned int count = 0;

	metrics_write(&out, EXPO_TEXT, r->p.aggregate, &self);
	assert_false(out.failed);
	for (const char *line = out.data; line; line = strchr(line, '\n'))
		count += *(line += *line == '\n') && *line != '#';
	print_message("#: %u series in %zu KiB of text\n", count, out.len >> 10);
	buf_free(&out);
	return count;
}

/* How many addresses have a label; each is in one series at least. */
static unsigned int addresses(const struct series *table)
{
	unsigned int count = 0;
	bool others = false;

	for (const struct series *s = table; s; s = s->hh.next) {
		const struct series *first = table;

		while (strcmp(first->id.address, s->id.address) != 0)
			first = first->hh.next;
		count += first == s && *s->id.address && *s->id.address != '_';
		others |= !strcmp(s->id.address, "_other");
	}
	assert_true(others);
	return count;
}

static void caps(struct rig *r)
{
	struct aggregate *agg = r->p.aggregate;
	size_t heap = __sanitizer_get_current_allocated_bytes() - r->heap;

	print_message("#: %zu KiB on the heap\n", heap >> 10);
	assert_true(heap < MEMORY);
	/* every table is full, and over it only what has a place beyond, and the overflow's own */
	assert_in_range(HASH_COUNT(agg->services), 833, 833 + 2 + 1 + ROLE_COUNT);
	/* the shares of the nameless and of this host's clients are full */
	assert_in_range(HASH_COUNT(agg->handshakes), 7500, 10100);
	assert_true(HASH_COUNT(agg->evidence) <= 10100);
	assert_true(series(r) <= 3 * 10000 + 2 * 100 + FIXED_SERIES);
	assert_in_range(HASH_COUNT(r->p.report->services), 1024, 1024 + 2);
	assert_int_equal(learn_servers(r->p.learn), 8000);
	assert_int_equal(addresses(agg->handshakes), LABELS);
}

static void overflow_is_counted(struct rig *r)
{
	struct aggregate *agg = r->p.aggregate;
	struct answers_count answers = answers_count(r->p.answers);
	uint64_t reported = 0;

	/* what has no place of its own is under _overflow, and all together are all */
	assert_true(agg->overflow > FLOOD / 2);
	assert_int_equal(total(agg->handshakes, "_overflow", 0, 0, NULL), agg->overflow);
	assert_int_equal(total(agg->handshakes, NULL, 0, 0, NULL), FLOOD + 3 * OURS);
	assert_int_equal(total(agg->evidence, NULL, 0, 0, NULL), FLOOD + 3 * OURS);
	assert_int_equal(total(agg->services, NULL, 0, 0, NULL), FLOOD + 3 * OURS);
	for (struct report_service *s = r->p.report->services; s; s = s->hh.next)
		reported += s->handshakes;
	assert_int_equal(reported + r->p.report->overflow, FLOOD + 3 * OURS);
	assert_true(r->p.report->overflow > 0);
	assert_true(service_refused(r->p.book) > 0);
	assert_true(learn_evicted(r->p.learn) > 0);
	assert_int_equal(answers.waiting + answers.unmatched[ANSWERS_FULL] +
				 answers.unmatched[ANSWERS_NO_HANDSHAKE],
			 FLOOD);
	assert_true(answers.unmatched[ANSWERS_FULL] > 0);
}

static void a_hundred_thousand_names(void **state)
{
	struct rig *r = *state;

	for (unsigned int i = 0; i < FLOOD; i++) {
		flood(r, i % KINDS);
		answer(r);
		if (i ==
		    FLOOD / 2) { /* they come when all is full, the listener for the first time */
			assert_true(r->p.aggregate->overflow > 0);
			assert_null(service_at(r, ROLE_SERVER, r->port));
			assert_non_null(service_at(r, ROLE_SERVER, SHOP));
			identity_look(r->p.identity);
		}
		if (i >= FLOOD / 2 && i < FLOOD / 2 + OURS)
			ours(r, i);
		pipeline_time(&r->p, r->p.now + 1000000);
	}
	pipeline_end(&r->p);
	assert_int_equal(r->p.received, FLOOD + 3 * OURS);
	assert_int_equal(r->p.counted, FLOOD + 3 * OURS);
	is_exact(r, "shop", ROLE_SERVER, SHOP);
	is_exact(r, "shop", ROLE_TRANSIT, SHOP);
	is_exact(r, r->listener, ROLE_SERVER, r->port);
	for (enum role role = ROLE_SERVER; role < ROLE_COUNT; role++)
		if (role != ROLE_CLIENT)
			assert_int_equal(
				service_at(r, role, SHOP)->fallbacks[CAUSE_SERVER_DECLINED],
				OURS / 3);
	caps(r);
	overflow_is_counted(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_hundred_thousand_names, setup, teardown),
	};

	return cmocka_run_group_tests_name("flood", tests, NULL, NULL);
}
