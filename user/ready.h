/* SPDX-License-Identifier: GPL-2.0-only */
/* ready.h - is there anything to observe, and what is said of it at the start. */
#ifndef ALPNSCOPE_READY_H
#define ALPNSCOPE_READY_H

#include "attach.h"
#include "netif.h"
#include "options.h"

/** ready_named - are the interfaces there that -i and --tap name? Those that are down are
 * said. Returns 0, or -ENODEV, said. */
int ready_named(const struct options *opt, const struct netif *netif);

/** ready_attached - is anything observed, or may be once it is up? Returns 0, or -ENODEV, said. */
int ready_attached(const struct options *opt, const struct attach *attach);

/**
 * ready_say - the line that says that observing has begun.
 * @address: where the metrics are, NULL when nowhere; by HTTPS if @https
 */
void ready_say(const struct options *opt, const struct attach *attach, const struct netif *netif,
	       const char *address, bool https);

#endif
