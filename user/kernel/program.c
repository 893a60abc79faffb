// SPDX-License-Identifier: GPL-2.0-only
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <cap-ng.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "alpnscope.skel.h"
#include "alpnscope/flow.h"
#include "log.h"
#include "xdp.h"

#define WORDS_MAX 4000 /* bytes of one message of libbpf's that are shown */

/* libbpf's own words are for -v; the user gets one line from load_error(). */
static int libbpf_words(enum libbpf_print_level level, const char *format, va_list args)
{
	char *text, *from;
	int len;

	if (level == LIBBPF_DEBUG)
		return 0;
	len = vasprintf(&text, format, args);
	if (len < 0)
		return 0;
	if (len && text[len - 1] == '\n')
		text[--len] = '\0';
	/* The verifier's log comes in one piece, and says at its end what was wrong. */
	from = len > WORDS_MAX ? strchr(text + len - WORDS_MAX, '\n') : text;
	log_verbose("%s", from ? from : text);
	free(text);
	return 0;
}

/* What this process has not got, by names that setcap and systemd take; "" for nothing. */
static void missing_caps(char *names, size_t size)
{
	static const struct {
		unsigned int cap;
		const char *name;
	} need[] = {{CAP_BPF, "CAP_BPF"},
		    {CAP_PERFMON, "CAP_PERFMON"},
		    {CAP_NET_ADMIN, "CAP_NET_ADMIN"}};
	size_t at = 0;

	*names = '\0';
	/* CAP_SYS_ADMIN stands for each of them here. */
	if (capng_get_caps_process() || capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN))
		return;
	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]) && at < size; i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE, need[i].cap))
			at += (size_t)snprintf(names + at, size - at, "%s%s", at ? ", " : "",
					       need[i].name);
}

static void load_error(int err, char *error, size_t size)
{
	char caps[64];

	missing_caps(caps, sizeof(caps));
	if (err == EOPNOTSUPP)
		snprintf(error, size,
			 "cannot load the XDP programs: this kernel has no bpf_xdp_load_bytes (it "
			 "came with Linux 5.18); leave out --hook xdp");
	else if ((err == EPERM || err == EACCES) && *caps)
		snprintf(error, size,
			 "cannot load the BPF programs: this process lacks %s; run as root, or "
			 "grant it (`alpnscope doctor` tells more)",
			 caps);
	else if (err == EPERM || err == EACCES)
		snprintf(error, size,
			 "cannot load the BPF programs: the kernel does not permit it, in spite "
			 "of sufficient capabilities; `alpnscope doctor` looks for the reason");
	else if (access("/sys/kernel/btf/vmlinux", R_OK))
		snprintf(error, size,
			 "cannot load the BPF programs: this kernel has no BTF "
			 "(/sys/kernel/btf/vmlinux: %s); boot one built with "
			 "CONFIG_DEBUG_INFO_BTF=y",
			 strerror(errno));
	else
		snprintf(error, size, "cannot load the BPF programs: %s; %s", strerror(err),
			 err == ENOMEM ? "allow it more memory (MemoryMax= of its unit), or give "
					 "smaller tables (--flow-table, --reassembly-table)"
				       : "`alpnscope doctor` says what this kernel lacks, -v shows "
					 "the kernel's own words");
}

/* Choose the programs, fill in the constants, load. 0 or -errno. */
static int load(struct alpnscope_bpf *skel, const struct program_config *config)
{
	uint64_t seed[AS_SEEDS] = AS_PLAIN_SEEDS;
	int err;

	if (!config->testing && getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		log_info(
			"getrandom: %s; the tuple hash is not secret: who sends packets can aim at "
			"places of its tables",
			strerror(errno));
	memcpy((void *)skel->rodata->seed, seed, sizeof(seed));
	skel->rodata->testing = config->testing;
	bpf_program__set_autoload(skel->progs.alpnscope_xdp, config->xdp);
	bpf_program__set_autoload(skel->progs.alpnscope_xtap, config->xdp && config->tap);
	bpf_program__set_autoload(skel->progs.alpnscope_tap, !config->xdp && config->tap);
	if (config->xdp && xdp_supported() == -EINVAL)
		return -EOPNOTSUPP;
	skel->rodata->slot_mask = config->slots - 1;
	err = bpf_map__set_max_entries(skel->maps.flows, config->flows);
	if (!err)
		err = bpf_map__set_max_entries(skel->maps.slots, config->slots);
	return err ? err : alpnscope_bpf__load(skel);
}

struct alpnscope_bpf *program_load(const struct program_config *config, char *error,
				   size_t error_size)
{
	struct alpnscope_bpf *skel;
	int err;

	libbpf_set_print(libbpf_words);
	skel = alpnscope_bpf__open();
	if (!skel) {
		err = errno;
		load_error(err, error, error_size);
		errno = err;
		return NULL;
	}
	err = load(skel, config);
	if (err) {
		load_error(-err, error, error_size);
		alpnscope_bpf__destroy(skel);
		errno = -err;
		return NULL;
	}
	return skel;
}

void program_free(struct alpnscope_bpf *skel)
{
	alpnscope_bpf__destroy(skel);
}

uint64_t program_bytes(const struct alpnscope_bpf *skel)
{
	const struct bpf_map *map;
	uint64_t bytes = 0;

	bpf_object__for_each_map(map, skel->obj)
	{
		uint64_t entry = bpf_map__key_size(map) + bpf_map__value_size(map);

		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
			entry = 1;
		else if (bpf_map__type(map) == BPF_MAP_TYPE_PERCPU_ARRAY)
			entry = (uint64_t)bpf_map__value_size(map) *
				(uint64_t)libbpf_num_possible_cpus();
		bytes += entry * bpf_map__max_entries(map);
	}
	return bytes;
}
