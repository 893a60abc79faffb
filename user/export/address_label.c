// SPDX-License-Identifier: GPL-2.0-only
#include "address_label.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include "hash.h"

#include "buf.h"

struct address_label {
	char text[ADDRESS_LABEL_MAX];
	UT_hash_handle hh;
};

void address_labels_clear(struct address_labels *labels)
{
	struct address_label *a, *next;

	HASH_ITER (hh, labels->known, a, next) {
		HASH_DEL(labels->known, a);
		free(a);
	}
}

/* Names do not differ by the case of ASCII letters (RFC 6066 section 3). */
static bool name_text(const struct as_handshake *hs, char out[ADDRESS_LABEL_MAX])
{
	static struct buf name; /* its memory is kept for the next handshake */
	bool whole;

	buf_clear(&name);
	for (size_t i = 0; i < hs->sni_len; i++) {
		uint8_t c = as_sni(hs)[i];

		c = c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
		buf_escaped(&name, &c, 1);
	}
	whole = name.data && !name.failed;
	snprintf(out, ADDRESS_LABEL_MAX, "%s", whole ? name.data : ADDRESS_LABEL_OTHER);
	return whole;
}

static void ip_text(const struct event *ev, char out[ADDRESS_LABEL_MAX])
{
	const struct ends ends = event_ends(ev);

	if (ends.family == 4)
		inet_ntop(AF_INET, ends.server_addr + 12, out, ADDRESS_LABEL_MAX);
	else
		inet_ntop(AF_INET6, ends.server_addr, out, ADDRESS_LABEL_MAX);
}

static bool add(struct address_labels *labels, const char *text)
{
	struct address_label *a;

	if (HASH_COUNT(labels->known) >= labels->limit)
		return false;
	a = calloc(1, sizeof(*a));
	if (!a)
		return false;
	snprintf(a->text, sizeof(a->text), "%s", text);
	HASH_ADD_STR(labels->known, text, a);
	if (a->hh.tbl)
		return true;
	free(a);
	return false;
}

void address_label(struct address_labels *labels, const struct event *ev,
		   char out[ADDRESS_LABEL_MAX])
{
	char text[ADDRESS_LABEL_MAX];
	struct address_label *a = NULL;
	bool known = true;

	*out = '\0';
	if (!labels->limit)
		return;
	if (!ev->hs->sni_len)
		ip_text(ev, text);
	else
		known = name_text(ev->hs, text);
	if (known)
		HASH_FIND_STR(labels->known, text, a);
	/* written once: what is behind the text stays zero for who hashes it */
	strcpy(out, a || (known && add(labels, text)) ? text : ADDRESS_LABEL_OTHER);
}
