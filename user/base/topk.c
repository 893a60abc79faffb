// SPDX-License-Identifier: GPL-2.0-only
#include "topk.h"

#include <stdlib.h>
#include <string.h>

void topk_add(struct topk *t, const uint8_t addr[16])
{
	struct topk_entry *rarest = &t->entry[0];

	for (unsigned int i = 0; i < t->used; i++) {
		struct topk_entry *e = &t->entry[i];

		if (!memcmp(e->addr, addr, sizeof(e->addr))) {
			e->count++;
			return;
		}
		if (e->count < rarest->count)
			rarest = e;
	}
	if (t->used < TOPK_PLACES)
		rarest = &t->entry[t->used++];
	else
		rarest->over = rarest->count;
	memcpy(rarest->addr, addr, sizeof(rarest->addr));
	rarest->count++;
}

static int compare(const void *a, const void *b)
{
	const struct topk_entry *x = a, *y = b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return memcmp(x->addr, y->addr, sizeof(x->addr));
}

void topk_sort(struct topk *t)
{
	qsort(t->entry, t->used, sizeof(t->entry[0]), compare);
}
