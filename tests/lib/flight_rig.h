/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flight_rig.h - records of TLS 1.3 on their way through a rig, and what is to be told of
 * them. Include after rig.h.
 */
#ifndef TESTS_FLIGHT_RIG_H
#define TESTS_FLIGHT_RIG_H

static struct craft ext, out;

/* A record as it is expected: type, length, encrypted records of the other side before it. */
struct want {
	uint8_t type;
	uint16_t len;
	uint8_t before;
};

#define WANT(flight, ...)                                                                          \
	want(flight, (const struct want[]){__VA_ARGS__},                                           \
	     sizeof((const struct want[]){__VA_ARGS__}) / sizeof(struct want))

static inline void want(const struct as_flight *f, const struct want *w, size_t count)
{
	assert_int_equal(f->count, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(f->type[i], w[i].type);
		assert_int_equal(f->len[i], w[i].len);
		assert_int_equal(f->before[i], w[i].before);
	}
}

/* A record whose content looks like record headers, which nobody must take for any. */
static inline void put_record(struct craft *c, uint8_t type, uint32_t len)
{
	craft_number(c, type, 1);
	craft_number(c, AS_TLS12, 2);
	craft_number(c, len, 2);
	for (uint32_t i = 0; i < len; i++)
		c->at[c->len++] = (uint8_t) "\x17\x03\x03\0\1"[i % 5];
}

static inline void put_ccs(struct craft *c)
{
	craft_put(c, "\x14\x03\x03\0\1\1", 6);
}

/* A ServerHello of @version behind what is in @out. */
static inline void put_answer(const char *version)
{
	ext.len = 0;
	craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, version, 2);
	craft_ext(&ext, AS_EXT_KEY_SHARE, BYTES("\x00\x1d\0\1x"));
	craft_server_hello(&out, &(struct craft_hello){.random = craft_random(0x80000001),
						       .cipher = 0x1301,
						       .ext = &ext});
}

/* Send what is in @out, and empty it. */
static inline void send_out(struct rig *r, struct craft_conn *c, bool from_client)
{
	rig_send(r, c, from_client, AS_TCP_ACK, out.at, out.len);
	out.len = 0;
}

static inline void send_record(struct rig *r, struct craft_conn *c, bool from_client, uint32_t len)
{
	put_record(&out, 23, len);
	send_out(r, c, from_client);
}

/* ServerHello, ChangeCipherSpec, EncryptedExtensions, Certificate, CertificateVerify and
 * Finished, with a content of 9 bytes in the first: RFC 8446 sections 4.3 and 4.4. */
static inline void put_flight(void)
{
	put_answer("\x03\x04");
	put_ccs(&out);
	put_record(&out, 23, 32);
	put_record(&out, 23, 700);
	put_record(&out, 23, 281);
	put_record(&out, 23, 53);
}

#define FLIGHT                                                                                     \
	{23, 32, 0}, {23, 700, 0}, {23, 281, 0},                                                   \
	{                                                                                          \
		23, 53, 0                                                                          \
	}

/* A handshake up to there, in one segment. */
static inline struct rig *begin(struct craft_conn *c)
{
	struct rig *r = rig_begin(c);

	out.len = 0;
	put_flight();
	send_out(r, c, false);
	assert_int_equal(r->count, 0);
	return r;
}

/* The one record, ended so at the last frame. */
static inline const struct as_handshake *ended(const struct rig *r, int end, uint32_t flags)
{
	const struct as_handshake *hs = rig_only(r);

	assert_int_equal(hs->end, end);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO | flags);
	assert_int_equal(hs->end_ns, r->now);
	assert_int_equal(native_in_flight(r->native), 0);
	RIG_NAMES(hs, "a.example", "\x02h2\x08http/1.1", "");
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	return hs;
}

/* Of @out up to @from: nothing; then up to @to. */
static inline void send_part(struct rig *r, struct craft_conn c, uint32_t from, uint32_t to)
{
	c.server_seq += from;
	rig_server(r, &c, out.at + from, to - from);
}

#endif
