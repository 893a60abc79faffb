/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * option_set.h - one function an option: reads the text of its value into struct options.
 * All of them return 0, or negative with what is wrong with @value, and what is right, in
 * @error (@size bytes; the caller names the option).
 */
#ifndef ALPNSCOPE_OPTION_SET_H
#define ALPNSCOPE_OPTION_SET_H

#include <stddef.h>

struct options;

#define OPTION_SETTER(name) int name(struct options *o, const char *value, char *error, size_t size)

/** set_interface - a name that the kernel can have, at most 15 bytes, or "any". */
OPTION_SETTER(set_interface);
/** set_expect - an expectation beside those given before, see service_expect(). */
OPTION_SETTER(set_expect);
/** set_output - columns or json. */
OPTION_SETTER(set_output);
/** set_count - 1 or more. */
OPTION_SETTER(set_count);
/** set_duration - a number with ms, s, m or h; without a unit seconds. */
OPTION_SETTER(set_duration);
/** set_fail_on - "fallback". */
OPTION_SETTER(set_fail_on);
/** set_fail_on_ready - "not-ready". */
OPTION_SETTER(set_fail_on_ready);
/** set_role - server, client or transit, beside those given before. */
OPTION_SETTER(set_role);
/** set_tap - as set_interface, but never any. */
OPTION_SETTER(set_tap);
/** set_hook - auto, tcx, clsact or xdp. */
OPTION_SETTER(set_hook);
/** set_slots - 1 to AS_SLOTS_MAX, rounded up to a power of two from AS_SLOTS_MIN on. */
OPTION_SETTER(set_slots);
/** set_flows - PROGRAM_FLOWS_MIN to PROGRAM_FLOWS_MAX. */
OPTION_SETTER(set_flows);
/** set_listen - HOST:PORT by its form only: whether it can be had, listen_on() finds out. */
OPTION_SETTER(set_listen);
/** set_telemetry - a path that is none of the agent's own pages. */
OPTION_SETTER(set_telemetry);
/** set_web_config - a file of TLS and users. */
OPTION_SETTER(set_web_config);

/** set_textfile - a path that ends in .prom. */
OPTION_SETTER(set_textfile);
/** set_socket - a path that fits sockaddr_un, see unix(7). */
OPTION_SETTER(set_socket);
/** set_config - any text: opening it tells more, as for the next one. */
OPTION_SETTER(set_config);
/** set_state_dir - a directory. */
OPTION_SETTER(set_state_dir);
/** set_forget - a service's name of 1 to SERVICE_NAME_MAX - 1 bytes. */
OPTION_SETTER(set_forget);
/** set_file - any text: opening it tells more. */
OPTION_SETTER(set_file);
/** set_port - see filter_set(), as for the next four. */
OPTION_SETTER(set_port);
/** set_sni - a glob. */
OPTION_SETTER(set_sni);
/** set_alpn - a protocol's name. */
OPTION_SETTER(set_alpn);
/** set_outcome - an outcome's name. */
OPTION_SETTER(set_outcome);
/** set_fallback_only - takes no value. */
OPTION_SETTER(set_fallback_only);
/** set_library - takes no value. */
OPTION_SETTER(set_library);
/** set_quiet - takes no value. */
OPTION_SETTER(set_quiet);
/** set_verbose - takes no value. */
OPTION_SETTER(set_verbose);

#endif
