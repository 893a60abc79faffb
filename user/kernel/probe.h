/* SPDX-License-Identifier: GPL-2.0-only */
/* probe.h - questions to this host that leave nothing behind. */
#ifndef ALPNSCOPE_PROBE_H
#define ALPNSCOPE_PROBE_H

#include <stdbool.h>

/**
 * probe_can_make - could this user make the socket @path? The last directory may be missing:
 * control_new makes it.
 */
bool probe_can_make(const char *path);

/**
 * probe_is_alpnscope - is it an alpnscope that listens on @address ("HOST:PORT", an IPv6 host
 * in brackets, no host for all)? Its landing page says so. Waits a few seconds at most; what
 * answers may be anybody.
 */
bool probe_is_alpnscope(const char *address);

#endif
