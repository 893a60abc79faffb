/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * rig.h - an engine under test: frames in, records and counters out.
 *
 * Every frame lies flush against a page that cannot be touched. Every record is held
 * against its form, and the ledger of counters.h must balance when a rig is freed.
 * With RIG_TWIN the BPF programs see the same frames, and must say the same (twin.h).
 *
 * Include after cmocka.h.
 */
#ifndef TESTS_RIG_H
#define TESTS_RIG_H

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "craft.h"
#include "native.h"

#define RIG_ROOM 0x20000 /* bytes between the two guards */
#define RIG_STEP_NS 1000000 /* from frame to frame */
#define RIG_FLOWS 1024

#ifdef RIG_TWIN
#include "twin.h"
#else
static inline void twin_begin(uint32_t flows)
{
	(void)flows;
}

static inline void twin_take(const uint8_t *bytes, uint32_t len, bool bare, uint64_t now)
{
	(void)bytes;
	(void)len;
	(void)bare;
	(void)now;
}

static inline void twin_press(bool pressed)
{
	(void)pressed;
}

static inline void twin_end(const struct native *n, const struct as_handshake *rec, uint32_t count)
{
	(void)n;
	(void)rec;
	(void)count;
}

static inline int twin_report(void **state)
{
	(void)state;
	return 0;
}
#endif

/**
 * struct rig - an engine and what came out of it.
 * @flows: room for handshakes in progress
 * @now: time of the last frame
 * @front: frames begin, instead of end, at the guard
 */
struct rig {
	struct native *native;
	struct as_handshake *rec;
	uint32_t count;
	uint32_t room;
	uint32_t flows;
	uint64_t now;
	bool front;
	struct craft frame;
};

static const char *const rig_counter[] = {
#define AS_COUNTER(id, number, family, reason, help) [number] = #id,
	AS_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
};

static const char *const rig_family[] = {
#define AS_COUNTER(id, number, family, reason, help) [number] = family,
	AS_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
};

/* RIG_ROOM bytes with a page on each side that cannot be touched. */
static inline uint8_t *rig_memory(void)
{
	static uint8_t *room; /* for all rigs, never unmapped */
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (!room) {
		uint8_t *all = mmap(NULL, RIG_ROOM + 2 * page, PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		assert_ptr_not_equal(all, MAP_FAILED);
		room = all + page;
		assert_int_equal(mprotect(room, RIG_ROOM, PROT_READ | PROT_WRITE), 0);
	}
	return room;
}

/* Records are told of after a ServerHello of TLS 1.3 only; each is of a type that can be
 * (RFC 8446 section 5.1, RFC 6520), not too long, and what is not in use is zero. */
static inline void rig_check_flight(const struct as_handshake *hs, const struct as_flight *f)
{
	bool goes_on = hs->flags & AS_F_SERVER_HELLO && hs->kind == AS_KIND_HANDSHAKE &&
		       (hs->server_version == 0x0304 || hs->server_version >> 8 == 0x7f);

	assert_true(goes_on || (!f->count && !(hs->flags & AS_F_GAP)));
	assert_true(goes_on || (hs->end != AS_END_RECORDS && hs->end != AS_END_QUIET));
	assert_true(f->count <= AS_FLIGHT_MAX);
	assert_int_equal(f->pad[0] | f->pad[1] | f->pad[2], 0);
	for (int i = 0; i < AS_FLIGHT_MAX; i++) {
		if (i >= f->count) {
			assert_int_equal(f->len[i] | f->type[i] | f->before[i], 0);
			continue;
		}
		assert_in_range(f->type[i], 21, 24);
		assert_in_range(f->len[i], 0, 16384 + 256);
		assert_true(!i || f->before[i] >= f->before[i - 1]);
	}
}

/* What holds for every record, whatever the frames were. */
static inline void rig_check_record(const struct as_handshake *hs)
{
	assert_int_equal(hs->abi, AS_ABI);
	assert_true(hs->kind == AS_KIND_HANDSHAKE || hs->kind == AS_KIND_ORPHAN);
	assert_in_range(hs->end, AS_END_SERVER_HELLO, AS_END_QUIET);
	assert_true(hs->family == 4 || hs->family == 6);
	assert_true(hs->sni_len <= AS_SNI_MAX);
	assert_true(hs->alpn_len <= AS_ALPN_MAX);
	assert_true(hs->selected_len <= AS_ALPN_MAX);
	assert_int_equal(hs->size, offsetof(struct as_handshake, names) + hs->sni_len +
					   hs->alpn_len + hs->selected_len);
	assert_int_equal(hs->pad[0] | hs->pad[1] | hs->pad[2] | hs->pad3, 0);
	assert_true(hs->end_ns >= hs->hello_ns);
	if (hs->flags & AS_F_SERVER_HELLO)
		assert_in_range(hs->server_ns, hs->hello_ns, hs->end_ns);
	else
		assert_int_equal(hs->server_ns | hs->server_version | hs->cipher | hs->group |
					 hs->server_ext | hs->selected_len,
				 0);
	rig_check_flight(hs, &hs->client_flight);
	rig_check_flight(hs, &hs->server_flight);
}

static inline void rig_record(void *arg, const struct as_handshake *hs)
{
	struct rig *r = arg;

	rig_check_record(hs);
	if (r->count == r->room) {
		r->room = r->room ? 2 * r->room : 64;
		r->rec = realloc(r->rec, r->room * sizeof(*r->rec));
		assert_non_null(r->rec);
	}
	memset(&r->rec[r->count], 0, sizeof(*r->rec));
	memcpy(&r->rec[r->count++], hs, hs->size);
}

static struct rig *rig_at_work; /* left behind by a test that failed */

static inline void rig_destroy(void)
{
	if (!rig_at_work)
		return;
	native_free(rig_at_work->native);
	free(rig_at_work->rec);
	free(rig_at_work);
	rig_at_work = NULL;
}

/* A new engine with room for @flows handshakes in progress; one at a time. */
static inline struct rig *rig_new(uint32_t flows)
{
	struct rig *r;

	rig_destroy();
	twin_begin(flows);
	r = rig_at_work = calloc(1, sizeof(*r));
	assert_non_null(r);
	r->flows = flows;
	r->native = native_new(flows, rig_record, r);
	assert_non_null(r->native);
	r->now = UINT64_C(1000000000);
	return r;
}

/* Give one frame to the engine at r->now; @bare: it begins with an IP header. */
static inline void rig_take(struct rig *r, const uint8_t *bytes, uint32_t len, bool bare)
{
	uint8_t *room = rig_memory(), *at = r->front ? room : room + RIG_ROOM - len;
	struct native_frame frame = {.bytes = at, .caplen = len, .ns = r->now, .ifindex = 1};

	assert_true(len <= RIG_ROOM);
	if (len)
		memcpy(at, bytes, len);
	if (bare)
		frame.ethertype = len && bytes[0] >> 4 == 6 ? AS_ETH_P_IPV6 : AS_ETH_P_IPV4;
	twin_press(native_in_flight(r->native) > r->flows / 2);
	twin_take(at, len, bare, r->now);
	native_frame(r->native, &frame);
}

/* As rig_take, RIG_STEP_NS after the last frame. */
static inline void rig_bytes(struct rig *r, const uint8_t *bytes, uint32_t len, bool bare)
{
	r->now += RIG_STEP_NS;
	rig_take(r, bytes, len, bare);
}

/* Time passes, which a frame without interest tells. */
static inline void rig_wait(struct rig *r, uint64_t ns)
{
	static const uint8_t none[60];

	r->now += ns;
	rig_take(r, none, sizeof(none), false);
}

/* No more records follow the ServerHello. */
static inline void rig_quiet(struct rig *r)
{
	rig_wait(r, AS_RECORDS_NS);
}

/* As long as a hello may be incomplete; the engine looks four times a second. */
#define RIG_UNFINISHED_NS (AS_SLOT_NS + UINT64_C(500000000))

static inline void rig_segment(struct rig *r, const struct craft_conn *c,
			       const struct craft_segment *s)
{
	craft_frame(&r->frame, c, s);
	rig_bytes(r, r->frame.at, r->frame.len, c->bare);
}

/* A segment at the sender's next sequence number, which moves on. */
static inline void rig_send(struct rig *r, struct craft_conn *c, bool from_client, uint8_t flags,
			    const void *data, size_t len)
{
	uint32_t *here = from_client ? &c->client_seq : &c->server_seq;
	struct craft_segment s = {.from_client = from_client,
				  .flags = flags,
				  .seq = *here,
				  .ack = from_client ? c->server_seq : c->client_seq,
				  .data = data,
				  .len = len};

	rig_segment(r, c, &s);
	*here += (uint32_t)len + (flags & (AS_TCP_SYN | AS_TCP_FIN) ? 1 : 0);
}

static inline void rig_client(struct rig *r, struct craft_conn *c, const void *data, size_t len)
{
	rig_send(r, c, true, AS_TCP_ACK, data, len);
}

static inline void rig_server(struct rig *r, struct craft_conn *c, const void *data, size_t len)
{
	rig_send(r, c, false, AS_TCP_ACK, data, len);
}

/* SYN, SYN and ACK, ACK. */
static inline void rig_connect(struct rig *r, struct craft_conn *c)
{
	rig_send(r, c, true, AS_TCP_SYN, NULL, 0);
	rig_send(r, c, false, AS_TCP_SYN | AS_TCP_ACK, NULL, 0);
	rig_send(r, c, true, AS_TCP_ACK, NULL, 0);
}

/* A ClientHello for a.example that offers h2 and http/1.1. */
static inline const struct craft *rig_hello(uint32_t number)
{
	static struct craft hello, ext;

	hello.len = ext.len = 0;
	craft_sni(&ext, BYTES("a.example"));
	craft_alpn(&ext, BYTES("\x02h2\x08http/1.1"));
	craft_client_hello(&hello,
			   &(struct craft_hello){.random = craft_random(number), .ext = &ext});
	return &hello;
}

/* A TLS 1.2 ServerHello that chooses h2. */
static inline const struct craft *rig_answer(uint32_t number)
{
	static struct craft hello, ext;

	hello.len = ext.len = 0;
	craft_alpn(&ext, BYTES("\x02h2"));
	craft_server_hello(
		&hello,
		&(struct craft_hello){.random = craft_random(0x80000000 | number), .ext = &ext});
	return &hello;
}

/* Hello 1 in @hello, made @len bytes long by an extension of padding (RFC 7685). */
static inline void rig_long_hello(struct craft *hello, uint32_t len)
{
	const uint32_t rest = AS_HS_HLEN + 2 + 32 + 1 + 6 + 2 + 2 + 4 + 9;
	static struct craft ext;

	hello->len = ext.len = 0;
	craft_number(&ext, 21, 2);
	craft_number(&ext, len - rest, 2);
	craft_zero(&ext, len - rest);
	craft_alpn(&ext, BYTES("\x02h2"));
	craft_client_hello(hello, &(struct craft_hello){.random = craft_random(1), .ext = &ext});
	assert_int_equal(hello->len, AS_REC_HLEN + len);
}

static inline void rig_client_hello(struct rig *r, struct craft_conn *c, uint32_t number)
{
	const struct craft *hello = rig_hello(number);

	rig_client(r, c, hello->at, hello->len);
}

static inline void rig_server_hello(struct rig *r, struct craft_conn *c, uint32_t number)
{
	const struct craft *hello = rig_answer(number);

	rig_server(r, c, hello->at, hello->len);
}

/* Every counter: those named with their value, all others 0. */
#define RIG_COUNTS(r, ...)                                                                         \
	rig_counts(r, (const uint32_t[]){__VA_ARGS__},                                             \
		   sizeof((const uint32_t[]){__VA_ARGS__}) / 8, __FILE__, __LINE__)

static inline void rig_counts(const struct rig *r, const uint32_t *pair, size_t pairs,
			      const char *file, int line)
{
	const uint64_t *is = native_counters(r->native);
	uint64_t want[AS_COUNTER_COUNT] = {0};
	bool wrong = false;

	for (size_t i = 0; i < pairs; i++)
		want[pair[2 * i]] = pair[2 * i + 1];
	for (int i = 0; i < AS_COUNTER_COUNT; i++) {
		if (is[i] == want[i])
			continue;
		print_error("%s is %llu, not %llu\n", rig_counter[i], (unsigned long long)is[i],
			    (unsigned long long)want[i]);
		wrong = true;
	}
	if (wrong)
		_fail(file, line);
}

static inline uint64_t rig_sum(const struct rig *r, const char *family)
{
	const uint64_t *is = native_counters(r->native);
	uint64_t sum = 0;

	for (int i = 0; i < AS_COUNTER_COUNT; i++)
		if (rig_family[i] && !strcmp(rig_family[i], family))
			sum += is[i];
	return sum;
}

/* The ledger of counters.h, and the records that came. */
static inline void rig_ledger(const struct rig *r)
{
	uint32_t kind[3] = {0};

	for (uint32_t i = 0; i < r->count; i++)
		kind[r->rec[i].kind]++;
	assert_int_equal(rig_sum(r, "hellos"), rig_sum(r, "records") + rig_sum(r, "repeats") +
						       rig_sum(r, "lost") +
						       native_in_flight(r->native));
	assert_int_equal(rig_sum(r, "orphans"),
			 rig_sum(r, "orphan_records") + rig_sum(r, "orphan_lost"));
	assert_int_equal(rig_sum(r, "records"), kind[AS_KIND_HANDSHAKE]);
	assert_int_equal(rig_sum(r, "orphan_records"), kind[AS_KIND_ORPHAN]);
}

/* The capture ended: the open handshakes become records. */
static inline void rig_end(struct rig *r)
{
	rig_ledger(r);
	native_end(r->native);
	assert_int_equal(native_in_flight(r->native), 0);
}

/* Close the books. */
static inline void rig_free(struct rig *r)
{
	rig_end(r);
	rig_ledger(r);
	twin_end(r->native, r->rec, r->count);
	rig_destroy();
}

/* The teardown of a group of tests. */
static inline int rig_done(void **state)
{
	rig_destroy();
	return twin_report(state);
}

/* The record's names are these. */
#define RIG_NAMES(hs, sni, alpn, selected)                                                         \
	do {                                                                                       \
		assert_int_equal((hs)->sni_len, sizeof(sni) - 1);                                  \
		assert_memory_equal(as_sni(hs), sni, sizeof(sni) - 1);                             \
		assert_int_equal((hs)->alpn_len, sizeof(alpn) - 1);                                \
		assert_memory_equal(as_alpn(hs), alpn, sizeof(alpn) - 1);                          \
		assert_int_equal((hs)->selected_len, sizeof(selected) - 1);                        \
		assert_memory_equal(as_selected(hs), selected, sizeof(selected) - 1);              \
	} while (0)

/* The one record that there is. */
static inline const struct as_handshake *rig_only(const struct rig *r)
{
	assert_int_equal(r->count, 1);
	return &r->rec[0];
}

/* An engine with hello 1 of @c in progress. */
static inline struct rig *rig_begin(struct craft_conn *c)
{
	struct rig *r = rig_new(RIG_FLOWS);

	*c = craft_ipv4(1);
	rig_connect(r, c);
	rig_client_hello(r, c, 1);
	assert_int_equal(native_in_flight(r->native), 1);
	return r;
}

/* The one record: ended so, nothing of a server in it. */
static inline const struct as_handshake *rig_ended(const struct rig *r, int end, uint32_t flags)
{
	const struct as_handshake *hs = rig_only(r);

	assert_int_equal(hs->end, end);
	assert_int_equal(hs->flags, flags);
	assert_int_equal(hs->end_ns, r->now);
	RIG_NAMES(hs, "a.example", "\x02h2\x08http/1.1", "");
	return hs;
}

#endif
