/* SPDX-License-Identifier: GPL-2.0-only */
/* xdp.h - how an XDP program gets onto an interface, and who is there already. */
#ifndef ALPNSCOPE_XDP_H
#define ALPNSCOPE_XDP_H

#include <stdbool.h>
#include <stdint.h>

/** xdp_supported - has this kernel what our XDP programs need (Linux 5.18)? Found by loading
 * one that does nothing. Returns 0 or -errno. */
int xdp_supported(void);

/**
 * struct xdp_link - a program of ours on an interface.
 * @fd: of the link, which ends when it is closed, by a crash too
 * @native: the driver runs it; else the kernel does, on a packet that it has allocated
 * @refused: 0, or the -errno for which it is not native
 */
struct xdp_link {
	int fd;
	bool native;
	int refused;
};

/**
 * xdp_attach - attach @prog_fd to @ifindex, native if the driver can.
 * Returns 0 or -errno: -EALREADY when there is a program, which is left as it is.
 */
int xdp_attach(int prog_fd, unsigned int ifindex, struct xdp_link *link);

/** struct xdp_program - a program in the kernel; @name is empty when it may not be asked for
 * (CAP_SYS_ADMIN). */
struct xdp_program {
	uint32_t id;
	char name[16];
};

/** xdp_find - the program on @ifindex, in whatever mode. Returns false when there is none. */
bool xdp_find(unsigned int ifindex, struct xdp_program *prog);

/** enum xdp_mode - what a driver says that it can do. */
enum xdp_mode { XDP_MODE_UNKNOWN, XDP_MODE_GENERIC, XDP_MODE_NATIVE, XDP_MODE_NATIVE_FRAGS };

/**
 * xdp_mode - could XDP be native on @ifindex? Asks (generic netlink family netdev, Linux 6.3,
 * d3d854fd6a1d), tries nothing. XDP_MODE_UNKNOWN on older kernels.
 */
enum xdp_mode xdp_mode(unsigned int ifindex);

#endif
