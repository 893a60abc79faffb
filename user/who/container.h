/* SPDX-License-Identifier: GPL-2.0-only */
/* container.h - what a container is called, as its runtime has it on disk. */
#ifndef ALPNSCOPE_CONTAINER_H
#define ALPNSCOPE_CONTAINER_H

#include <stdint.h>

#define CONTAINER_NAMES_MAX 1024 /* ids that are remembered, with or without a name */
#define CONTAINER_NAME_SIZE 64 /* bytes of a name, terminator included */

struct container_names;

/** container_names_new - @root: "" for this host, else where its files are found. It must outlive
 * the result. NULL when out of memory. */
struct container_names *container_names_new(const char *root);

/** container_names_free - forget all; NULL is fine. */
void container_names_free(struct container_names *names);

/**
 * container_name_of - the name of container @id (64 hex digits) that stays the same when it is made
 * anew from the same definition: NAMESPACE/CONTAINER with Kubernetes, the service with Docker Swarm,
 * else the name that Docker or Podman knows it by.
 * @now: ns, CLOCK_MONOTONIC. A container without a name is looked for again, once a second for its
 *       first ten, since runtimes write some files late.
 *
 * Returns printable text (workload_text()), "" when there is none or it may not be read.
 */
const char *container_name_of(struct container_names *names, const char *id, uint64_t now);

#endif
