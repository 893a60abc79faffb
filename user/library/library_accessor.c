// SPDX-License-Identifier: GPL-2.0-only
/* library_accessor.c - run a function on addresses that have no number yet: only how they came
 * about from its first argument is known. Both sides of every condition are taken. */
#include "library_accessor.h"

#include <stdlib.h>
#include <string.h>

#include "library_insn.h"

#define CODE_MAX 2048 /* accessors have some 300 bytes */
#define VISITS 8 /* of one instruction: loops end, and yet several ways may meet there */
#define WAYS 64 /* not taken yet */
#define FIELD_MOST 65536 /* structures are smaller */

/**
 * struct value - what a register holds.
 * VALUE_OBJECT: the address that @path leads to. A pointer that was loaded from a field is the
 * field's path and 0. VALUE_FIELD: the first @width bytes of the field at @path, or more than a
 * pointer. VALUE_ARGUMENT: argument @n, as it was given. VALUE_CONSTANT: @n.
 */
struct value {
	enum { VALUE_UNKNOWN, VALUE_CONSTANT, VALUE_OBJECT, VALUE_FIELD, VALUE_ARGUMENT } kind;
	uint8_t width, count;
	int32_t path[LIBRARY_HOPS + 1];
	int64_t n;
};

/* @tested: what the last test was about, as far as it is known. */
struct way {
	size_t at;
	struct value tested;
	struct value reg[INSN_REGS];
};

struct run {
	struct insn_reader *reader;
	size_t size;
	unsigned int argument, width;
	enum library_gives gives;
	uint8_t visits[CODE_MAX];
	unsigned int ways;
	struct way way[WAYS];
	struct library_path found;
	bool differ;
};

static const struct value unknown;

/* A pointer @by bytes further. */
static struct value moved(struct value v, int64_t by)
{
	int64_t sum;

	if (__builtin_add_overflow(v.n, by, &sum))
		return unknown;
	if (v.kind == VALUE_CONSTANT) {
		v.n = sum;
		return v;
	}
	if (v.kind == VALUE_ARGUMENT && !by)
		return v;
	if (v.kind != VALUE_OBJECT || by <= -FIELD_MOST || by >= FIELD_MOST)
		return unknown;
	by += v.path[v.count - 1];
	if (by <= -FIELD_MOST || by >= FIELD_MOST)
		return unknown;
	v.path[v.count - 1] = (int32_t)by;
	return v;
}

/* The lower @width bytes of it. */
static struct value narrowed(struct value v, uint8_t width)
{
	if (v.kind == VALUE_FIELD && v.width > width)
		v.width = width;
	if (v.kind == VALUE_ARGUMENT && width < 8)
		return unknown;
	if (v.kind != VALUE_OBJECT || width >= 8)
		return v;
	if (v.count < 2 || v.path[v.count - 1])
		return unknown; /* half an address */
	v.count--;
	v.kind = VALUE_FIELD;
	v.width = width;
	return v;
}

static struct value loaded(struct value address, uint8_t width)
{
	if (address.kind != VALUE_OBJECT)
		return unknown;
	if (width != 8) {
		address.kind = VALUE_FIELD;
		address.width = width;
		return address;
	}
	if (address.count > LIBRARY_HOPS)
		return unknown;
	address.path[address.count++] = 0;
	return address;
}

static struct value fetch(const struct way *w, const struct operand *o)
{
	struct value base = o->reg < INSN_REGS ? w->reg[o->reg] : unknown;

	switch (o->kind) {
	case OPERAND_CONSTANT:
		return (struct value){.kind = VALUE_CONSTANT, .n = o->n};
	case OPERAND_REGISTER:
		return narrowed(base, o->width);
	case OPERAND_ADDRESS:
		return moved(base, o->n);
	case OPERAND_MEMORY:
		return loaded(moved(base, o->n), o->width);
	default:
		return unknown;
	}
}

/* A way has come to an answer. */
static void answer(struct run *r, const int32_t *path, unsigned int count)
{
	struct library_path *f = &r->found;

	if (!count || count > LIBRARY_HOPS || (f->count && f->count < count))
		return;
	if (f->count == count) {
		r->differ |= memcmp(f->offset, path, count * sizeof(*path)) != 0;
		return;
	}
	memset(f, 0, sizeof(*f));
	f->count = count;
	memcpy(f->offset, path, count * sizeof(*path));
	r->differ = false;
}

/* *(the argument) = v: the answer, if it comes of the object. NULL and constants are what it
 * says when there is nothing to say. */
static void given(struct run *r, struct value v, uint8_t width)
{
	if (r->gives == LIBRARY_ADDRESS) {
		if (v.kind == VALUE_OBJECT && width == 8)
			answer(r, v.path, v.count);
		return;
	}
	if (v.kind == VALUE_OBJECT && v.count > 1 && !v.path[v.count - 1]) {
		v.count--; /* a pointer's content, or eight bytes of a longer field */
		v.kind = VALUE_FIELD;
		v.width = 8;
	}
	if (v.kind == VALUE_FIELD && v.width >= r->width && width >= r->width)
		answer(r, v.path, v.count);
}

/* memcpy, by whatever name: bytes go from the second argument to the first. */
static void copied(struct run *r, const struct way *w)
{
	const struct value *to = &w->reg[insn_argument(r->reader, 0)];
	const struct value *from = &w->reg[insn_argument(r->reader, 1)];

	if (r->gives == LIBRARY_CONTENT && to->kind == VALUE_ARGUMENT && to->n == r->argument &&
	    from->kind == VALUE_OBJECT)
		answer(r, from->path, from->count);
}

static void put(struct run *r, struct way *w, const struct operand *o, struct value v)
{
	if (o->kind == OPERAND_REGISTER && o->reg < INSN_REGS) {
		w->reg[o->reg] = narrowed(v, o->width);
	} else if (o->kind == OPERAND_MEMORY && o->reg < INSN_REGS) {
		struct value to = moved(w->reg[o->reg], o->n);

		if (to.kind == VALUE_ARGUMENT && to.n == r->argument)
			given(r, v, o->width);
	}
}

static struct value sum(struct value a, struct value b)
{
	if (b.kind == VALUE_CONSTANT)
		return moved(a, b.n);
	return a.kind == VALUE_CONSTANT ? moved(b, a.n) : unknown;
}

/* One of two: known if the other is a constant, which stands for "nothing". */
static struct value selected(struct value a, struct value b)
{
	if (a.kind == VALUE_CONSTANT)
		return b;
	return b.kind == VALUE_CONSTANT ? a : unknown;
}

static void compute(struct run *r, struct way *w, const struct insn *in)
{
	struct value v[2] = {fetch(w, &in->from[0]), fetch(w, &in->from[1])};

	for (unsigned int i = 0; i < INSN_REGS; i++)
		if (in->clears >> i & 1)
			w->reg[i] = unknown;
	if (in->kind == INSN_ADD)
		v[0] = sum(v[0], v[1]);
	else if (in->kind == INSN_SELECT)
		v[0] = selected(v[0], v[1]);
	if (in->kind == INSN_MOVE || in->kind == INSN_ADD || in->kind == INSN_SELECT)
		put(r, w, &in->to[0], v[0]);
	if (in->kind == INSN_MOVE)
		put(r, w, &in->to[1], v[1]);
}

/* It was NULL: so is every copy of it, and compilers do use it as a zero. */
static void is_zero(struct way *w, const struct value *v)
{
	if (v->kind != VALUE_OBJECT && v->kind != VALUE_FIELD)
		return;
	for (unsigned int i = 0; i < INSN_REGS; i++) {
		const struct value *r = &w->reg[i];

		if (r->kind == v->kind && r->count == v->count && r->width == v->width &&
		    !memcmp(r->path, v->path, v->count * sizeof(*v->path)))
			w->reg[i] = (struct value){.kind = VALUE_CONSTANT};
	}
}

/* Both sides of a condition: the one that jumps waits. */
static void fork_way(struct run *r, struct way *w, const struct insn *in)
{
	struct value v = in->from[0].kind == OPERAND_NONE ? w->tested : fetch(w, &in->from[0]);
	struct way *jumps = &r->way[r->ways];

	if (in->target < 0 || in->target >= (int64_t)r->size || r->ways == WAYS) {
		if (in->on == INSN_ON_NONZERO)
			is_zero(w, &v);
		return;
	}
	r->ways++;
	*jumps = *w;
	jumps->at = (size_t)in->target;
	if (in->on != INSN_ON_OTHER)
		is_zero(in->on == INSN_ON_ZERO ? jumps : w, &v);
}

/* Take a way to its end. */
static void follow(struct run *r, struct way *w)
{
	struct insn in;

	while (w->at < r->size && r->visits[w->at] < VISITS) {
		bool inside;

		r->visits[w->at]++;
		if (!insn_read(r->reader, w->at, &in) || in.kind == INSN_RETURN)
			return;
		inside = in.target >= 0 && in.target < (int64_t)r->size;
		if (in.kind == INSN_COPY || in.kind == INSN_CALL ||
		    (in.kind == INSN_JUMP && !inside))
			copied(r, w);
		if (in.kind == INSN_JUMP && !inside)
			return;
		if (in.kind == INSN_BRANCH)
			fork_way(r, w, &in);
		else
			compute(r, w, &in);
		if (in.kind == INSN_TEST)
			w->tested = fetch(w, &in.from[0]);
		else if (in.kind != INSN_MOVE && in.kind != INSN_BRANCH && in.kind != INSN_JUMP)
			w->tested = unknown; /* it may set the flags anew */
		w->at = in.kind == INSN_JUMP ? (size_t)in.target : w->at + in.size;
	}
}

bool library_accessor(uint16_t machine, const uint8_t *code, size_t size, unsigned int argument,
		      enum library_gives gives, unsigned int width, struct library_path *out)
{
	struct run *r = calloc(1, sizeof(*r));

	memset(out, 0, sizeof(*out));
	if (!r)
		return false;
	r->size = size < CODE_MAX ? size : CODE_MAX;
	r->reader = insn_reader_new(machine, code, r->size);
	r->argument = argument;
	r->gives = gives;
	r->width = width;
	if (r->reader) {
		struct value *reg = r->way[0].reg;

		reg[insn_argument(r->reader, 0)] = (struct value){.kind = VALUE_OBJECT, .count = 1};
		for (unsigned int i = 1; i < INSN_ARGS; i++)
			reg[insn_argument(r->reader, i)] =
				(struct value){.kind = VALUE_ARGUMENT, .n = i};
		r->ways = 1;
	}
	while (r->ways) {
		struct way w = r->way[--r->ways];

		follow(r, &w);
	}
	if (!r->differ)
		*out = r->found;
	insn_reader_free(r->reader);
	free(r);
	return out->count > 0;
}
