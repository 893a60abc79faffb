/* SPDX-License-Identifier: GPL-2.0-only */
/* agent_serve.h - what the live observer tells others: metrics, readiness, answers on its socket. */
#ifndef ALPNSCOPE_AGENT_SERVE_H
#define ALPNSCOPE_AGENT_SERVE_H

#include "agent_parts.h"

/** agent_serve - the socket and the web server of a daemon. 0, or -1 with the error said. */
int agent_serve(struct agent *a);

/** agent_textfile - --textfile, if it was given. 0, or -1 with the error said. */
int agent_textfile(struct agent *a);

/** agent_follow_stdout - when stdout has not taken all, come back as soon as it takes more; to be
 * called before each wait. */
void agent_follow_stdout(struct agent *a);

#endif
