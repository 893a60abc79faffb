// SPDX-License-Identifier: GPL-2.0-only
/*
 * verify.c - how many instructions of a program did this kernel's verifier look at?
 *
 *   verify OBJECT [no-xdp]     loads the programs of an object, one after the other
 *   verify loaded PREFIX       those that are loaded and whose names, cut at 15 bytes, begin so
 *                              (Linux 5.16)
 *
 * A line for each: name and number, or `refused` and the verifier's last lines below.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define LOG_STATS 4 /* of the verifier: what went wrong and how much was looked at, no trace */
#define LOG_TAIL 2000

static char verifier_log[1 << 20], libbpf_log[1 << 14];

static int note(enum libbpf_print_level level, const char *format, va_list args)
{
	size_t len = strlen(libbpf_log);

	if (level == LIBBPF_DEBUG)
		return 0;
	return vsnprintf(libbpf_log + len, sizeof(libbpf_log) - len, format, args);
}

static const char *tail(const char *text)
{
	size_t len = strlen(text);

	return len > LOG_TAIL ? text + len - LOG_TAIL : text;
}

/* Its name and verdict; false when there is no program of that @number. */
static bool verify(const char *path, unsigned int number, bool no_xdp)
{
	struct bpf_object *obj = bpf_object__open_file(path, NULL);
	struct bpf_program *prog, *mine = NULL;
	unsigned int n = 0;
	const char *processed;
	int err;

	if (!obj) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		exit(1);
	}
	bpf_object__for_each_program(prog, obj)
	{
		bpf_program__set_autoload(prog, n == number);
		mine = n++ == number ? prog : mine;
	}
	if (mine && !(no_xdp && bpf_program__type(mine) == BPF_PROG_TYPE_XDP)) {
		verifier_log[0] = libbpf_log[0] = '\0';
		bpf_program__set_log_level(mine, LOG_STATS);
		bpf_program__set_log_buf(mine, verifier_log, sizeof(verifier_log));
		err = bpf_object__load(obj);
		processed = strstr(verifier_log, "processed ");
		if (!err && processed)
			printf("%s %lu\n", bpf_program__name(mine),
			       strtoul(processed + strlen("processed "), NULL, 10));
		else
			printf("%s refused\n%s\n%s\n%s\n", bpf_program__name(mine), strerror(-err),
			       tail(verifier_log), tail(libbpf_log));
		fflush(stdout);
	}
	bpf_object__close(obj);
	return mine;
}

static void loaded(const char *prefix)
{
	for (unsigned int id = 0; !bpf_prog_get_next_id(id, &id);) {
		struct bpf_prog_info info = {0};
		unsigned int len = sizeof(info);
		int fd = bpf_prog_get_fd_by_id(id);

		if (fd >= 0 && !bpf_obj_get_info_by_fd(fd, &info, &len) &&
		    !strncmp(info.name, prefix, strlen(prefix)))
			printf("%s %u\n", info.name, info.verified_insns);
		if (fd >= 0)
			close(fd);
	}
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	libbpf_set_print(note);
	if (argc > 2 && !strcmp(argv[1], "loaded"))
		loaded(argv[2]);
	else
		for (unsigned int i = 0; verify(argv[1], i, argc > 2); i++)
			;
	return 0;
}
