/* SPDX-License-Identifier: GPL-2.0-only */
/* address_label.h - the label server_address: whom this host's programs dial, so many and no more. */
#ifndef ALPNSCOPE_ADDRESS_LABEL_H
#define ALPNSCOPE_ADDRESS_LABEL_H

#include "event.h"

#define ADDRESS_LABEL_MAX 128 /* bytes, terminator included */
#define ADDRESS_LABEL_OTHER "_other" /* all beyond the limit */

struct address_label;

/** struct address_labels - all zero, or with a limit only, is an empty set of labels.
 * @limit: how many addresses get a label of their own; 0: the label is not used */
struct address_labels {
	size_t limit;
	struct address_label *known;
};

/**
 * address_label - the label of @ev's client: the server name that it asked for, in lower case and
 * escaped as in events, cut to fit; else the IP address that it dialled. Who has a label keeps it.
 * @out: ADDRESS_LABEL_OTHER beyond the limit, and when memory runs out; "" when the label is not
 *       used. The rest of its bytes is left as it is.
 */
void address_label(struct address_labels *labels, const struct event *ev,
		   char out[ADDRESS_LABEL_MAX]);

/** address_labels_clear - give the memory back. */
void address_labels_clear(struct address_labels *labels);

#endif
