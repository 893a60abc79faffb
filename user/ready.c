// SPDX-License-Identifier: GPL-2.0-only
#include "ready.h"

#include <errno.h>

#include "buf.h"
#include "log.h"

int ready_named(const struct options *opt, const struct netif *netif)
{
	for (unsigned int i = 0; i < opt->interfaces + opt->taps; i++) {
		bool tap = i >= opt->interfaces;
		const char *name = tap ? opt->tap[i - opt->interfaces] : opt->interface[i];
		const struct netif_link *link = netif_by_name(netif, name);

		if (!link) {
			log_error("cannot %s %s: no such interface; `alpnscope doctor` lists them",
				  tap ? "tap" : "attach to", name);
			return -ENODEV;
		}
		if (!link->up)
			log_info("%s is down; it will be %s when it comes up", name,
				 tap ? "tapped" : "observed");
	}
	return 0;
}

int ready_attached(const struct options *opt, const struct attach *attach)
{
	struct attach_count n = attach_counts(attach);

	if (n.attached || (opt->interfaces + opt->taps && !n.failed && !n.skipped))
		return 0;
	if (!n.failed && !n.skipped)
		log_error("no interface is up to observe; bring one up (`ip link set lo up`) or "
			  "name it: "
			  "-i IFACE waits for it");
	else if (!opt->taps) /* of a tap, the line above says why and what to do */
		log_error("no interface could be observed; `alpnscope doctor` says why");
	return -ENODEV;
}

/* Which interfaces are tapped. Returns how many. */
static unsigned int put_taps(struct buf *b, const struct options *opt, const struct attach *attach,
			     const struct netif *netif)
{
	unsigned int count = 0;

	for (unsigned int i = 0; i < opt->taps; i++) {
		const struct netif_link *link = netif_by_name(netif, opt->tap[i]);

		if (!link || !attach_is_attached(attach, link->index))
			continue;
		buf_printf(b, "%s%s", count++ ? ", " : "tapping ", opt->tap[i]);
	}
	if (count)
		buf_puts(b, " (all that arrives there is dropped)");
	return count;
}

void ready_say(const struct options *opt, const struct attach *attach, const struct netif *netif,
	       const char *address, bool https)
{
	struct attach_count n = attach_counts(attach);
	struct buf what = {0};
	unsigned int others = n.attached - put_taps(&what, opt, attach, netif);

	if (others)
		buf_printf(&what, "%sobserving %u interface%s", what.len ? ", " : "", others,
			   others == 1 ? "" : "s");
	if (n.attached)
		buf_printf(&what, " by %s", attach_hook_name(attach));
	else
		buf_puts(&what, "none of the interfaces is up yet");
	if (n.failed)
		buf_printf(&what, ", %u failed", n.failed);
	if (address)
		log_info("ready: %s; try: curl http%s://%s%s", what.failed ? "" : what.data,
			 https ? "s" : "", address, opt->telemetry_path);
	else
		log_info("ready: %s; Ctrl-C ends it", what.failed ? "" : what.data);
	buf_free(&what);
}
