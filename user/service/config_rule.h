/* SPDX-License-Identifier: GPL-2.0-only */
/* config_rule.h - the keys of a service in the configuration file. For config.c only. */
#ifndef ALPNSCOPE_CONFIG_RULE_H
#define ALPNSCOPE_CONFIG_RULE_H

#include "config.h"
#include "reader.h"

/** config_read_service - one item of `services`; @arg is not used. */
void config_read_service(struct reader *r, yaml_node_t *node, void *arg);

/** config_read_networks - a struct cidr_list @into: networks, at least one. */
void config_read_networks(struct reader *r, yaml_node_t *node, void *into);

#endif
