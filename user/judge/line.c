// SPDX-License-Identifier: GPL-2.0-only
#include "line.h"

#include <limits.h>
#include <string.h>

#define NEAR 2 /* an ECDSA signature in DER has from 70 to 72 bytes, nearly always, */
#define FAR 3 /* and hardly ever so many more or less; nor has a certificate that is renewed */

/* A stretch of the line, both ends included, in which nothing changed by more than @slack. */
struct stretch {
	uint32_t from, to;
	unsigned int slack;
};

bool line_add_size(struct line_sizes *z, unsigned int size)
{
	unsigned int at;

	for (at = 0; at < z->count && z->size[at] < size; at++)
		;
	if (at < z->count && z->size[at] == size)
		return true;
	if (z->count == LINE_SIZES)
		return false;
	memmove(&z->size[at + 1], &z->size[at], (z->count - at) * sizeof(z->size[0]));
	z->size[at] = (uint16_t)size;
	z->count++;
	return true;
}

uint32_t line_next(const struct line *l)
{
	return l->clock + 1;
}

static const struct line_kind *kind_of(const struct line *l, const struct line_flight *f)
{
	for (unsigned int i = 0; i < LINE_KINDS; i++) {
		const struct line_kind *k = &l->kind[i];

		if (k->count && k->hash == f->hash && k->shape == f->shape)
			return k;
	}
	return NULL;
}

static bool same_length(const struct line_kind *k, const struct line_flight *f)
{
	unsigned int far = f->certificate ? FAR : 0;

	return f->length + far >= k->max && f->length <= k->min + far;
}

/* Add the run of @k to @s where it reaches further. */
static bool grow(struct stretch *s, const struct line_kind *k)
{
	unsigned int slack = s->slack + k->max - k->min;

	if (k->first > s->to || k->last < s->from || (k->first >= s->from && k->last <= s->to) ||
	    slack > FAR)
		return false;
	s->from = k->first < s->from ? k->first : s->from;
	s->to = k->last > s->to ? k->last : s->to;
	s->slack = slack;
	return true;
}

static struct stretch run_of(const struct line_flight *f, const struct line_kind *own)
{
	struct stretch s = {f->at, f->at, 0};

	if (!own || !same_length(own, f))
		return s;
	s.from = own->first < f->at ? own->first : f->at;
	s.to = own->last > f->at ? own->last : f->at;
	s.slack = own->max - own->min;
	return s;
}

/* The stretch around @f that runs cover without a hole, its own first. */
static struct stretch stretch_of(const struct line *l, const struct line_flight *f,
				 const struct line_kind *own)
{
	struct stretch s = run_of(f, own);
	bool grown = true;

	while (grown) {
		grown = false;
		for (unsigned int i = 0; i < LINE_KINDS; i++)
			if (l->kind[i].count && l->kind[i].certificate == f->certificate)
				grown = grow(&s, &l->kind[i]) || grown;
	}
	return s;
}

/* By how many bytes a flight of @base bytes without ALPN differs from @k, if that has @z. */
static unsigned int distance(const struct line_kind *k, unsigned int base,
			     const struct line_sizes *z)
{
	unsigned int least = UINT_MAX;

	for (unsigned int i = 0; i < z->count; i++) {
		unsigned int with = base + z->size[i];
		unsigned int off = with < k->min   ? k->min - with
				   : with > k->max ? with - k->max
						   : 0;

		least = off < least ? off : least;
	}
	return least;
}

/* What speaks about one answer. */
struct hearing {
	unsigned int against;
	bool agrees; /* with each flight */
};

/*
 * By how many bytes a flight must be off to speak against an answer: by more than a renewal, and
 * than the signatures of @k may still vary.
 */
static unsigned int far_of(const struct line_kind *k)
{
	unsigned int seen = k->max - k->min;

	return !k->certificate ? 0 : FAR + (seen < NEAR ? NEAR - seen : 0);
}

static void hear(struct hearing *h, const struct line_kind *k, const struct line_flight *f,
		 unsigned int base, bool spanned, bool varies)
{
	const struct line_sizes only = {1, {k->proved_size}};
	unsigned int near = f->certificate && (spanned || varies) ? NEAR : 0;
	unsigned int far = far_of(k);
	unsigned int off = distance(k, base, &k->sizes);

	if (off > near)
		h->agrees = false;
	if (off > far)
		h->against += spanned && k->count < LINE_SAMPLES ? LINE_SAMPLES : k->count;
	else if (k->proved && distance(k, base, &only) > far)
		h->against += k->proved;
	if (k->proved && distance(k, base, &only) > near)
		h->agrees = false;
}

/* @k can be compared with @f, and was met since the last break. */
static bool counts(const struct line *l, const struct line_kind *k, const struct line_flight *f)
{
	return k->count && k->shape == f->shape && k->last >= l->broken;
}

static bool signatures_vary(const struct line *l, const struct line_flight *f)
{
	for (unsigned int i = 0; i < LINE_KINDS; i++)
		if (counts(l, &l->kind[i], f) && l->kind[i].max > l->kind[i].min)
			return true;
	return false;
}

/* What all flights say to the answer of @size bytes. @s: its stretch; @varies: signatures do */
static struct hearing all_on(const struct line *l, const struct line_flight *f,
			     const struct line_kind *own, const struct stretch *s, bool varies,
			     unsigned int size)
{
	struct hearing h = {.agrees = true};

	if (size > f->length)
		return (struct hearing){.against = LINE_SAMPLES};
	for (unsigned int i = 0; i < LINE_KINDS; i++) {
		const struct line_kind *k = &l->kind[i];

		if (counts(l, k, f) && (k != own || same_length(own, f)))
			hear(&h, k, f, f->length - size, k->first <= s->to && k->last >= s->from,
			     varies);
	}
	return h;
}

enum line_fit line_judge(const struct line *l, const struct line_flight *f, unsigned int *size)
{
	const struct line_kind *own = kind_of(l, f);
	struct stretch s = stretch_of(l, f, own);
	bool varies = signatures_vary(l, f);
	unsigned int open = 0, agree = 0;
	bool misfit = true;

	for (unsigned int i = 0; i < f->sizes.count; i++) {
		struct hearing h = all_on(l, f, own, &s, varies, f->sizes.size[i]);

		if (!h.against)
			misfit = false;
		if (h.against < LINE_SAMPLES)
			open++;
		if (h.agrees) {
			agree++;
			*size = f->sizes.size[i];
		}
	}
	if (misfit)
		return LINE_MISFIT;
	if (own && !same_length(own, f))
		return LINE_BROKEN;
	return agree == 1 && open == 1 ? LINE_FITS : LINE_UNKNOWN;
}

/* The place of a new kind: a free one, or that of the one not met for longest. */
static struct line_kind *place_for(struct line *l)
{
	struct line_kind *found = &l->kind[0];

	for (unsigned int i = 0; i < LINE_KINDS && found->count; i++)
		if (!l->kind[i].count || l->kind[i].last < found->last)
			found = &l->kind[i];
	return found;
}

bool line_overlaps(const struct line *l, const struct line_flight *f, uint32_t first, uint32_t last)
{
	struct stretch s = run_of(f, kind_of(l, f));

	return first <= s.to && last >= s.from;
}

void line_add(struct line *l, const struct line_flight *f, int proved)
{
	const struct line_kind *own = kind_of(l, f);
	struct line_kind *k = own ? &l->kind[own - l->kind] : place_for(l);

	if (!own || !same_length(own, f))
		*k = (struct line_kind){.hash = f->hash,
					.shape = f->shape,
					.first = f->at,
					.min = f->length,
					.max = f->length,
					.certificate = f->certificate,
					.sizes = f->sizes};
	l->clock = k->last = f->at;
	k->count += k->count < UINT16_MAX;
	k->min = f->length < k->min ? f->length : k->min;
	k->max = f->length > k->max ? f->length : k->max;
	if (proved < 0)
		return;
	if (proved != k->proved_size)
		k->proved = 0;
	k->proved_size = (uint16_t)proved;
	k->proved += k->proved < UINT16_MAX;
}

void line_break(struct line *l, const struct line_flight *f)
{
	for (unsigned int i = 0; i < LINE_KINDS; i++)
		if (l->kind[i].count && l->kind[i].last < l->broken)
			l->kind[i].count = 0;
	l->broken = f->at;
}

void line_forget(struct line *l, const struct line_flight *f)
{
	for (unsigned int i = 0; i < LINE_KINDS; i++)
		if (f->certificate ? l->kind[i].certificate : l->kind[i].shape == f->shape)
			l->kind[i].count = 0;
}
