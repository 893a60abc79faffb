/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor_look.h - who else, and which agent, has programs on an interface. */
#ifndef ALPNSCOPE_DOCTOR_LOOK_H
#define ALPNSCOPE_DOCTOR_LOOK_H

#include "doctor.h"

/**
 * doctor_look - fill what @link says of programs on @ifindex: others, ahead, xdp, own_xdp,
 * tapped and mode. Changes nothing.
 *
 * Names of programs need CAP_SYS_ADMIN: without it none is taken for an agent's, but for
 * the filters of clsact.
 */
void doctor_look(struct doctor_link *link, unsigned int ifindex);

#endif
