// SPDX-License-Identifier: GPL-2.0-only
#include "doctor_look.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>

#include "compat.h"

#define OURS "alpnscope_" /* how our programs' names begin */
#define TAP OURS "tap"
#define XDP_TAP OURS "xtap"

/* The name of a program, "" when it may not be asked for. */
static void name_of(uint32_t id, char name[BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd = bpf_prog_get_fd_by_id(id);

	name[0] = '\0';
	if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len))
		memcpy(name, info.name, BPF_OBJ_NAME_LEN);
	if (fd >= 0)
		close(fd);
}

static bool is_ours(const char *name)
{
	return !strncmp(name, OURS, strlen(OURS));
}

static void look_at_xdp(struct doctor_link *link, unsigned int ifindex)
{
	struct xdp_program prog;

	link->mode = xdp_mode(ifindex);
	if (!xdp_find(ifindex, &prog))
		return;
	link->own_xdp = is_ours(prog.name);
	link->tapped |= !strcmp(prog.name, XDP_TAP);
	if (link->own_xdp)
		return;
	if (*prog.name)
		snprintf(link->xdp, sizeof(link->xdp), "%s", prog.name);
	else
		snprintf(link->xdp, sizeof(link->xdp), "with id %u", prog.id);
}

static void look_at_tcx(struct doctor_link *link, unsigned int ifindex, enum compat_side side)
{
	uint32_t ids[COMPAT_TCX_MAX];
	unsigned int n = compat_tcx_list(ifindex, side, ids), others = 0;
	char name[BPF_OBJ_NAME_LEN];

	for (unsigned int i = 0; i < n; i++) {
		name_of(ids[i], name);
		link->tapped |= !strcmp(name, TAP);
		if (!is_ours(name))
			others++;
		else
			link->ahead += others;
	}
	link->others += others;
}

void doctor_look(struct doctor_link *link, unsigned int ifindex)
{
	link->tapped = compat_clsact_has_tap(ifindex);
	look_at_tcx(link, ifindex, COMPAT_INGRESS);
	look_at_tcx(link, ifindex, COMPAT_EGRESS);
	look_at_xdp(link, ifindex);
}
