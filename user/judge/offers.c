// SPDX-License-Identifier: GPL-2.0-only
#include "offers.h"

#include <string.h>

static const struct offers_entry *find(const struct offers *a, uint64_t hash)
{
	for (unsigned int i = 0; i < OFFERS_MAX; i++)
		if (a->offer[i].hash == hash)
			return &a->offer[i];
	return NULL;
}

void offers_add(struct offers *a, uint64_t hash, const struct inference *answer,
		unsigned int samples, uint32_t at)
{
	const struct offers_entry *found = find(a, hash);
	struct offers_entry *o;
	struct inference known;

	if (answer->name.len > OFFERS_NAME_MAX)
		return;
	o = found ? &a->offer[found - a->offer] : &a->offer[a->next++ % OFFERS_MAX];
	known = (struct inference){.answer = o->answer, .name = {o->name, o->len}};
	if (!found || !inference_equal(&known, answer))
		*o = (struct offers_entry){.hash = hash, .first = at};
	o->last = at;
	o->count += o->count < UINT16_MAX ? samples : 0;
	o->answer = answer->answer;
	o->len = answer->name.len;
	if (o->len)
		memcpy(o->name, answer->name.bytes, o->len);
}

struct inference offers_find(const struct offers *a, uint64_t hash, const struct alpn_list *offered,
			     uint32_t *first, uint32_t *last)
{
	const struct offers_entry *o = find(a, hash);
	struct inference found = {0};

	if (!o || o->count < OFFERS_SAMPLES)
		return found;
	*first = o->first;
	*last = o->last;
	found.answer = o->answer;
	if (o->answer != ANSWER_NAME)
		return found;
	for (unsigned int i = 0; i < offered->count; i++) {
		found.name = offered->name[i];
		if (found.name.len == o->len && !memcmp(found.name.bytes, o->name, o->len))
			return found;
	}
	return (struct inference){0};
}
