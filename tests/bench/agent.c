// SPDX-License-Identifier: GPL-2.0-only
/*
 * agent.c - what a record costs the agent, without the kernel and its ring: synthetic records
 * through the same modules, in the same order, as `alpnscope run` has them.
 *
 * usage: build/bench/agent [RECORDS [KIND]]
 *
 * Records of known services come at 50,000/s of a clock of its own. One line a kind of record and
 * one for all of them in turn: name, CPU nanoseconds a record, calls of malloc() and its kin.
 */
#include <stdio.h>
#include <stdlib.h>

#include "steady.h"

#define WARM 40000 /* records before the measurement: everything was met by then */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static unsigned long allocations;

void *malloc(size_t size)
{
	allocations++;
	return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	allocations++;
	return __libc_realloc(old, size);
}

static void run(struct rig *r, const char *name, int kind, unsigned long records)
{
	unsigned long calls;
	uint64_t start;

	for (unsigned long i = 0; i < WARM; i++)
		record(r, kind < 0 ? (int)(i % KINDS) : kind);
	calls = allocations;
	start = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (unsigned long i = 0; i < records; i++)
		record(r, kind < 0 ? (int)(i % KINDS) : kind);
	start = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - start;
	printf("%-40s %6lu ns %8lu\n", name, (unsigned long)(start / records), allocations - calls);
}

int main(int argc, char **argv)
{
	static struct rig r;
	unsigned long records = argc > 1 ? strtoul(argv[1], NULL, 10) : 200000;

	if (begin(&r))
		return 1;
	listen_there(&r);
	for (int kind = 0; kind < KINDS; kind++)
		if (argc < 3 || atoi(argv[2]) == kind)
			run(&r, kind_names[kind], kind, records);
	if (argc < 3)
		run(&r, "all of them in turn", -1, records);
	pipeline_end(&r.p);
	if (r.events != r.p.counted) {
		fprintf(stderr, "agent: %lu events of %lu\n", (unsigned long)r.events,
			(unsigned long)r.p.counted);
		return 1;
	}
	return 0;
}
