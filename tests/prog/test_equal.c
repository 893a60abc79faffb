// SPDX-License-Identifier: GPL-2.0-only
/*
 * One source, two targets: every frame of two corpora through the native engine and
 * through the BPF programs; records and counters must be the same (twin.h). The crafted
 * frames of tests/unit/test_engine*.c are compared by test_equal_*.c.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>

#define RIG_TWIN
#include "rig.h"

#include "capture.h"

/* What became of the frames and files of a corpus. */
struct tally {
	struct rig *rig;
	uint32_t files, unreadable, too_long, other_links;
};

/* One frame of a capture: it goes to both, or to neither. */
static int take(void *arg, const struct capture_frame *f)
{
	struct tally *t = arg;
	bool ethernet = f->ethertype == CAPTURE_ETHERNET;

	if (f->caplen - f->offset > twin_frame_max(!ethernet)) {
		t->too_long++;
		return 0;
	}
	if (!ethernet && f->ethertype != AS_ETH_P_IPV4 && f->ethertype != AS_ETH_P_IPV6) {
		t->other_links++;
		return 0;
	}
	t->rig->now = (uint64_t)f->wall_ns;
	rig_take(t->rig, f->bytes + f->offset, f->caplen - f->offset, !ethernet);
	return 0;
}

/* A file that cannot be read to its end is compared as far as it goes. */
static void compare_file(struct tally *t, const char *path)
{
	char error[512];
	uint64_t frames;

	t->rig = rig_new(RIG_FLOWS);
	t->files++;
	if (capture_read(path, take, t, &frames, error, sizeof(error)))
		t->unreadable++;
	rig_free(t->rig);
}

static void compare(const char *directory)
{
	struct tally t = {0};
	struct dirent **names;
	char path[512];
	int n;

	twin_load();
	n = scandir(directory, &names, NULL, alphasort);
	if (n < 0) {
		printf("%s is not there: no captures to compare\n", directory);
		fflush(stdout);
		skip();
	}
	for (int i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", directory, names[i]->d_name);
		if (names[i]->d_name[0] != '.')
			compare_file(&t, path);
		free(names[i]);
	}
	free(names);
	assert_true(t.files > 0);
	print_message("# %s: %u captures; left out: %u frames over %u (%u if raw IP) bytes, %u of "
		      "other links; "
		      "%u captures not readable to their end\n",
		      directory, t.files, t.too_long, twin_frame_max(false), twin_frame_max(true),
		      t.other_links, t.unreadable);
}

static void test_corpus(void **state)
{
	(void)state;
	compare("../shared/corpus/files");
}

static void test_tls13_corpus(void **state)
{
	(void)state;
	compare("../shared/tls13-corpus/pcaps");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_tls13_corpus),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
