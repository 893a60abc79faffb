/* SPDX-License-Identifier: GPL-2.0-only */
/* attach.h - which interfaces are observed. */
#ifndef ALPNSCOPE_ATTACH_H
#define ALPNSCOPE_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct alpnscope_bpf;
struct attach;

/** enum attach_hook - the way in: by trying, or as told (--hook). ATTACH_XDP: frames that
 * arrive by XDP, on Ethernet devices; all others as ATTACH_AUTO. */
enum attach_hook { ATTACH_AUTO, ATTACH_TCX, ATTACH_CLSACT, ATTACH_XDP };

/**
 * struct attach_count - interfaces by state.
 * @skipped: of a kind whose frames we do not read (attach_kind)
 */
struct attach_count {
	unsigned int attached, failed, skipped;
};

/** enum attach_kind - how frames of an interface begin. */
enum attach_kind { ATTACH_ETHERNET, ATTACH_IP, ATTACH_UNKNOWN };

/** attach_kind - by ARPHRD_* (if_arp.h). */
enum attach_kind attach_kind(uint16_t arphrd);

/** attach_new - nothing attached yet. @skel must outlive it. NULL when out of memory. */
struct attach *attach_new(struct alpnscope_bpf *skel, enum attach_hook hook);

/** attach_free - detach from everything. */
void attach_free(struct attach *attach);

/**
 * struct attach_target - an interface.
 * @arphrd: ARPHRD_* (if_arp.h)
 * @tap: a mirror port: no egress, promiscuous, and what arrives is dropped once seen
 */
struct attach_target {
	unsigned int ifindex;
	const char *name;
	uint16_t arphrd;
	bool tap;
};

/**
 * attach_add - observe an interface, both directions; already observed is fine.
 * @error: on failure one line: the interface, the cause, the next step
 * Returns 0 or -errno. It counts as failed (skipped for -EPROTONOSUPPORT, a kind that we
 * do not read) until it is tried again or removed.
 */
int attach_add(struct attach *attach, const struct attach_target *target, char *error,
	       size_t error_size);

/** attach_remove - no longer observe it. @gone: the interface does not exist any more. */
void attach_remove(struct attach *attach, unsigned int ifindex, bool gone);

/** attach_is_attached - is the interface observed? */
bool attach_is_attached(const struct attach *attach, unsigned int ifindex);

/** attach_counts - how many interfaces are in which state. */
struct attach_count attach_counts(const struct attach *attach);

/**
 * attach_is_by_links - has tcx been seen to work? Then interfaces to come are attached to by links
 * alone, which take no capability; filters take CAP_NET_ADMIN.
 */
bool attach_is_by_links(const struct attach *attach);

/** attach_hook_name - "tcx", "clsact" or "xdp", what the last interface took; "none" before. */
const char *attach_hook_name(const struct attach *attach);

#define ATTACH_HOW_MAX 128

/** attach_describe - what an observed interface took, in words ("native XDP, tcx egress"); "none"
 * when it is not. */
void attach_describe(const struct attach *attach, unsigned int ifindex, char how[ATTACH_HOW_MAX]);

#endif
