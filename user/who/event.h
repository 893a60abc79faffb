/* SPDX-License-Identifier: GPL-2.0-only */
/* event.h - one judged handshake, as aggregate and format take it. */
#ifndef ALPNSCOPE_EVENT_H
#define ALPNSCOPE_EVENT_H

#include <net/if.h>

#include "ends.h"
#include "verdict.h"
#include "workload.h"

#define SERVICE_NAME_MAX 64 /* bytes, terminator included */

/**
 * struct event_side - the handshake as one end of it counts it.
 * @role: whose end this is
 * @service: what that workload is called: the configured name, else the stable name of its unit or
 *           container, else that of its process; "unknown" when it is not known (always so in
 *           transit). Printable ASCII, and never an id that changes with a restart.
 * @work: the local workload of that end, all zero when nothing is known of it
 * @expect: what that service should negotiate
 * @cause: how it fell short, CAUSE_NONE when it did not
 * @unowned: no workload of this host is known at that end, whatever the operator calls it: its port
 *           may be invented
 * @reserved: it is configured with that name and port: it has its place, whatever tables hold
 * @exempt: the operator exempts this client: no cause is told of it
 */
struct event_side {
	enum role role;
	char service[SERVICE_NAME_MAX];
	struct workload work;
	struct expectation expect;
	enum cause cause;
	bool unowned;
	bool reserved;
	bool exempt;
};

/**
 * struct event - one handshake.
 * @hs: the facts; they outlive the event
 * @wall_ns: CLOCK_REALTIME of the first byte of the ClientHello
 * @ifname: where it was seen, "" when not known
 * @client_moved, @server_moved: the handshake was seen with several addresses of that end
 * @dialled, @reached: the ends before and after address translation (merge.h), one of them
 *          those of @hs; both NULL when there was none, or it is not known
 * @sides: one, or two when both ends are on this host (server first)
 *
 * Both ends local: each counts it under its own role with peer="local".
 */
struct event {
	const struct as_handshake *hs;
	int64_t wall_ns;
	char ifname[IF_NAMESIZE];
	bool client_moved, server_moved;
	const struct ends *dialled, *reached;
	unsigned int side_count;
	struct event_side side[2];
	struct verdict verdict; /* last, as its list of names is in it */
};

/** event_ends - as the client dialled, which is what is shown. */
static inline struct ends event_ends(const struct event *ev)
{
	return ev->dialled ? *ev->dialled : ends_of(ev->hs);
}

/** event_other_port - the server's port (host byte order) on the other side of a translation
 * than that of @ev->hs; 0 when it is the same. */
static inline uint16_t event_other_port(const struct event *ev)
{
	if (!ev->dialled || ev->dialled->server_port == ev->reached->server_port)
		return 0;
	return ev->hs->server_port == ev->dialled->server_port ? ev->reached->server_port
							       : ev->dialled->server_port;
}

#endif
