/* SPDX-License-Identifier: GPL-2.0-only */
/* web_config_tls.h - tls_server_config of the web configuration. For web_config.c only. */
#ifndef ALPNSCOPE_WEB_CONFIG_TLS_H
#define ALPNSCOPE_WEB_CONFIG_TLS_H

#include "reader.h"
#include "web_files.h"
#include "web_tls.h"

/** web_config_read_tls - read the mapping, and the files that it names, into @tls, ready for use
 * unless an error was said. */
void web_config_read_tls(struct reader *r, yaml_node_t *node, struct web_tls *tls,
			 struct web_files *files);

#endif
