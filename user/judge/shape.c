// SPDX-License-Identifier: GPL-2.0-only
#include "shape.h"

#include <string.h>

#include "alpnscope/wire.h"

#define MESSAGE 4 /* header of a handshake message: RFC 8446 section 4 */
#define ALERT 2 /* RFC 8446 section 6 */
#define OVERHEAD_MAX (1 + 16) /* of a record, by any cipher suite */
#define CERTIFICATE_MIN 256 /* no flight with a chain and a signature is shorter */
#define GRID_MIN 16
#define GRID_MAX 1024
#define FULL_FINISHED 3 /* EncryptedExtensions, Certificate, CertificateVerify before it */
#define CLIENT_MESSAGES 4 /* Certificate, CertificateVerify, Finished, and one to spare */

/* What a cipher suite adds to a record, and the length of its hash (RFC 8446 appendix B.4). */
struct suite {
	unsigned int hash;
	unsigned int overhead; /* of a record: the inner type and the AEAD's tag */
};

static bool suite_lengths(__u16 cipher, struct suite *s)
{
	switch (cipher) {
	case 0x1301: /* AES_128_GCM_SHA256 */
	case 0x1303: /* CHACHA20_POLY1305_SHA256 */
	case 0x1304: /* AES_128_CCM_SHA256 */
		*s = (struct suite){32, 1 + 16};
		return true;
	case 0x1302: /* AES_256_GCM_SHA384 */
		*s = (struct suite){48, 1 + 16};
		return true;
	case 0x1305: /* AES_128_CCM_8_SHA256 */
		*s = (struct suite){32, 1 + 8};
		return true;
	default:
		return false;
	}
}

static unsigned int round_up(unsigned int n, unsigned int grid)
{
	return (n + grid - 1) / grid * grid;
}

/* The length of a record of @n bytes of messages, padded to @grid. */
static unsigned int on_grid(const struct suite *s, unsigned int n, unsigned int grid)
{
	return round_up(n + 1, grid) + s->overhead - 1;
}

/* All of the first @count records lie on @grid. */
static bool grid_holds(const struct as_flight *f, unsigned int count, const struct suite *s,
		       unsigned int grid)
{
	for (unsigned int i = 0; i < count; i++)
		if (f->len[i] < s->overhead || (f->len[i] - (s->overhead - 1)) % grid)
			return false;
	return true;
}

/* No record of @f is too short for one that is padded by a constant. */
static bool constant_holds(const struct as_flight *f, const struct suite *s)
{
	for (unsigned int i = 0; i < f->count && i < AS_FLIGHT_MAX; i++)
		if (f->len[i] < s->overhead + FLIGHT_PAD)
			return false;
	return true;
}

/* Is @f's record @at a Finished? Then how it is padded; a grid is the widest that fits. */
static bool is_finished(const struct as_flight *f, unsigned int at, const struct suite *s,
			enum flight_padding *padding, unsigned int *grid)
{
	unsigned int n = MESSAGE + s->hash, len = f->len[at];

	*grid = 1;
	if (f->type[at] != AS_REC_APPLICATION_DATA)
		return false;
	*padding = FLIGHT_PLAIN;
	if (len == n + s->overhead)
		return true;
	*padding = FLIGHT_CONSTANT;
	if (len == n + s->overhead + FLIGHT_PAD && constant_holds(f, s))
		return true;
	*padding = FLIGHT_GRID;
	for (unsigned int g = GRID_MAX; g >= GRID_MIN; g /= 2) {
		if (len == on_grid(s, n, g) && grid_holds(f, at + 1, s, g)) {
			*grid = g;
			return true;
		}
	}
	return false;
}

/*
 * How many of the server's records came before the client could answer them. What precedes its
 * EncryptedExtensions is early data, which may go on while the flight is under way.
 */
static unsigned int server_flight(const struct as_handshake *hs)
{
	const struct as_flight *f = &hs->server_flight;
	bool early = hs->client_ext & AS_X_EARLY_DATA;
	unsigned int i;

	for (i = 0; i < f->count && i < AS_FLIGHT_MAX; i++)
		if (f->type[i] != AS_REC_APPLICATION_DATA ||
		    (!early && f->before[i] != f->before[0]))
			break;
	return i;
}

/* The client's Finished: behind its certificate, if it has to show one. */
static void find_client(const struct as_handshake *hs, const struct suite *s, struct flight *out)
{
	const struct as_flight *f = &hs->client_flight;
	unsigned int grid, tried = 0;

	for (unsigned int i = 0; i < f->count && i < AS_FLIGHT_MAX; i++) {
		if (f->before[i] < out->server_app)
			continue;
		if (is_finished(f, i, s, &out->client_padding, &grid)) {
			out->client_app = i + 1;
			return;
		}
		if (++tried == CLIENT_MESSAGES)
			return;
	}
}

/*
 * The client's first message after the flight is a certificate, be it an empty one, so the server
 * asked for it: was it asked in a record of its own?
 */
static bool request_is_hidden(const struct as_handshake *hs, const struct suite *s,
			      const struct flight *f)
{
	const struct as_flight *c = &hs->client_flight;
	enum flight_padding padding;
	unsigned int grid;

	if (f->server_app != FULL_FINISHED + 1)
		return false;
	for (unsigned int i = 0; i < c->count && i < AS_FLIGHT_MAX; i++) {
		if (c->before[i] < f->server_app || c->type[i] != AS_REC_APPLICATION_DATA ||
		    c->len[i] == ALERT + s->overhead)
			continue;
		return !(hs->client_ext & AS_X_EARLY_DATA) &&
		       !is_finished(c, i, s, &padding, &grid);
	}
	return false;
}

/* What the extensions of a record of @len bytes take, where @other bytes of it are not theirs. */
static void extensions(struct flight *f, unsigned int len, unsigned int other, unsigned int grid)
{
	int most = (int)len - (int)other - (f->padding == FLIGHT_CONSTANT ? FLIGHT_PAD : 0);

	f->ext_max = most;
	f->ext_min = f->padding == FLIGHT_GRID ? most - (int)grid + 1 : most;
	if (f->ext_min < 0 && f->ext_max >= 0)
		f->ext_min = 0;
	if (f->ext_max < 0)
		f->layout = FLIGHT_UNKNOWN;
}

static void resumed(const struct as_handshake *hs, const struct suite *s, unsigned int count,
		    struct flight *out)
{
	const struct as_flight *f = &hs->server_flight;
	unsigned int messages = MESSAGE + 2 + s->overhead, grid = 1;

	if (count > 1 && is_finished(f, 1, s, &out->padding, &grid)) {
		out->layout = FLIGHT_SEPARATE;
		out->server_app = 2;
		out->short_ext = f->len[0] - (int)(messages + MESSAGE + s->hash);
	} else if (f->count == 1 && hs->flags & AS_F_GAP) {
		return; /* Finished may have been missed */
	} else {
		messages += MESSAGE + s->hash;
		out->padding = FLIGHT_PLAIN;
		out->layout = FLIGHT_SHORT;
		out->server_app = 1;
	}
	extensions(out, f->len[0], messages, grid);
}

static void full(const struct as_handshake *hs, const struct suite *s, unsigned int count,
		 struct flight *out)
{
	const struct as_flight *f = &hs->server_flight;
	unsigned int grid;

	for (unsigned int i = FULL_FINISHED; i < count; i++) {
		if (!is_finished(f, i, s, &out->padding, &grid))
			continue;
		out->layout = FLIGHT_SEPARATE;
		out->server_app = i + 1;
		if (request_is_hidden(hs, s, out))
			out->layout = FLIGHT_UNKNOWN;
		else
			extensions(out, f->len[0], MESSAGE + 2 + s->overhead, grid);
		return;
	}
	out->padding = FLIGHT_PLAIN;
	if (f->len[0] < CERTIFICATE_MIN)
		return;
	out->layout = FLIGHT_WHOLE;
	out->server_app = 1;
	out->whole = f->len[0] - s->overhead - MESSAGE - s->hash;
}

void flight_shape(const struct as_handshake *hs, struct flight *out)
{
	unsigned int count = server_flight(hs);
	struct suite s;

	memset(out, 0, sizeof(*out));
	out->short_ext = -1;
	if (!count || !suite_lengths(hs->cipher, &s))
		return;
	if (hs->server_flight.len[0] == ALERT + s.overhead) {
		out->layout = hs->server_flight.count == 1 ? FLIGHT_ALERT : FLIGHT_UNKNOWN;
		return;
	}
	if (hs->server_ext & AS_X_PRE_SHARED_KEY)
		resumed(hs, &s, count, out);
	else
		full(hs, &s, count, out);
	if (out->layout != FLIGHT_UNKNOWN)
		find_client(hs, &s, out);
}

bool flight_broken_off(const struct as_handshake *hs)
{
	const struct as_flight *s = &hs->server_flight, *c = &hs->client_flight;
	unsigned int alert = ALERT + OVERHEAD_MAX + FLIGHT_PAD;

	if (!s->count || (s->count == 1 && s->len[0] <= alert))
		return true;
	for (unsigned int i = 0; i < c->count && i < AS_FLIGHT_MAX; i++)
		if (c->before[i])
			return c->type[i] != AS_REC_APPLICATION_DATA || c->len[i] <= alert;
	return false;
}
