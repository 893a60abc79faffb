/* SPDX-License-Identifier: GPL-2.0-only */
/* rows.h - what was measured, and how it is printed. */
#ifndef BENCH_ROWS_H
#define BENCH_ROWS_H

#include "lane.h"

#define ROUNDS_MAX 101
#define ROWS_MAX 80

static struct lane lane[LANES_MAX]; /* the empty programs first */
static int lanes;
static int rounds = 21;

/**
 * struct row - one thing that is measured.
 * @ns: CPU ns in each lane, each round
 * @refused: the kernel's BPF_PROG_TEST_RUN takes no such frame
 */
struct row {
	enum hook hook;
	char name[96];
	double ns[LANES_MAX][ROUNDS_MAX];
	bool refused;
};

static struct row row[ROWS_MAX];
static int row_count;

static const char *const hook_name[] = {[TC] = "tc", [XDP] = "xdp"};

static inline struct row *new_row(enum hook hook, const char *name)
{
	struct row *r = &row[row_count++];

	if (row_count > ROWS_MAX)
		die("more than %d rows", ROWS_MAX);
	r->hook = hook;
	snprintf(r->name, sizeof(r->name), "%s", name);
	return r;
}

static inline int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static inline double median(const double *ns)
{
	double sorted[ROUNDS_MAX];

	memcpy(sorted, ns, (size_t)rounds * sizeof(*ns));
	qsort(sorted, (size_t)rounds, sizeof(*sorted), by_size);
	return sorted[rounds / 2];
}

static inline void print_lines(void)
{
	for (int i = 0; i < row_count; i++) {
		printf("%s\t%s", hook_name[row[i].hook], row[i].name);
		for (int l = lanes - 1; !row[i].refused && l >= 0; l--) {
			printf("\t");
			for (int round = 0; round < rounds; round++)
				printf("%s%.3f", round ? " " : "", row[i].ns[l][round]);
		}
		printf("\n");
	}
}

/* Medians, less the empty program's of the same round; and how the two compare. */
static inline void print_table(void)
{
	printf("%-4s %-46s %8s %8s %8s %8s\n", "hook", "ns more than the empty program", "empty",
	       "first", "second", "second-first");
	for (int i = 0; i < row_count; i++) {
		double more[3][ROUNDS_MAX];

		if (row[i].refused)
			continue;
		for (int round = 0; round < rounds; round++) {
			more[0][round] = row[i].ns[1][round] - row[i].ns[0][round];
			more[1][round] = row[i].ns[2][round] - row[i].ns[0][round];
			more[2][round] = row[i].ns[2][round] - row[i].ns[1][round];
		}
		printf("%-4s %-46s %8.1f %8.1f %8.1f %+8.1f\n", hook_name[row[i].hook], row[i].name,
		       median(row[i].ns[0]), median(more[0]), median(more[1]), median(more[2]));
	}
}

#endif
