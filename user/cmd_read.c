// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "alpnscope/wire.h"
#include "capture.h"
#include "commands.h"
#include "finding.h"
#include "log.h"
#include "native.h"
#include "options.h"
#include "pipeline.h"
#include "services.h"

#define ERROR_MAX 512

struct reader {
	struct native *engine;
	struct pipeline pipe;
	struct services services;
	struct output out;
	uint64_t udp; /* frames */
};

static void on_event(void *arg, const struct event *ev)
{
	struct reader *r = arg;

	output_event(&r->out, ev);
}

static void on_record(void *arg, const struct as_handshake *hs)
{
	struct reader *r = arg;

	pipeline_record(&r->pipe, hs);
}

/* For a hint only: no tag and no tunnel is looked into. */
static bool is_udp(const struct capture_frame *f)
{
	bool framed = f->ethertype == CAPTURE_ETHERNET;
	uint32_t at = framed ? 14 : f->offset;
	unsigned int type = f->ethertype;

	if (f->caplen < at || f->caplen - at < 20) /* of either header that is enough */
		return false;
	if (framed)
		type = (unsigned int)f->bytes[12] << 8 | f->bytes[13];
	if (type == AS_ETH_P_IPV4)
		return f->bytes[at + 9] == AS_IPPROTO_UDP;
	return type == AS_ETH_P_IPV6 && f->bytes[at + 6] == AS_IPPROTO_UDP;
}

static int on_frame(void *arg, const struct capture_frame *f)
{
	struct reader *r = arg;
	struct native_frame frame = {.bytes = f->bytes,
				     .caplen = f->caplen,
				     .ethertype = f->ethertype,
				     .offset = f->offset,
				     .ns = (uint64_t)f->wall_ns};

	pipeline_time(&r->pipe, frame.ns);
	r->udp += is_udp(f);
	if (f->ethertype != CAPTURE_NOT_IP)
		native_frame(r->engine, &frame);
	return r->out.done;
}

/* What did not become an event is said, not hidden. */
static void say_counts(const struct reader *r, uint64_t frames)
{
	static const struct {
		uint32_t id;
		const char *reason;
	} lost[] = {
#define AS_COUNTER(id, number, family, reason, help) {AS_##id, family "\0" reason},
		AS_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
	};
	const uint64_t *counter = native_counters(r->engine);

	log_info("%" PRIu64 " frames; ClientHellos: %" PRIu64 ", ServerHellos without one: %" PRIu64
		 ", handshakes: %" PRIu64,
		 frames, counter[AS_HELLOS], counter[AS_ORPHANS], r->pipe.counted);
	if (r->udp && !counter[AS_HELLOS] && !counter[AS_ORPHANS])
		log_info("  no TLS hello over TCP in it; %" PRIu64
			 " frames are UDP, and QUIC (HTTP/3) and DTLS are not read",
			 r->udp);
	if (merge_merged(r->pipe.merge))
		log_info("  merged, seen with other addresses or ports: %" PRIu64,
			 merge_merged(r->pipe.merge));
	for (size_t i = 0; i < sizeof(lost) / sizeof(lost[0]); i++) {
		const char *family = lost[i].reason, *reason = family;

		while (*reason)
			reason++;
		reason++;
		if (*reason && counter[lost[i].id])
			log_info("  %s, %s: %" PRIu64, family, reason, counter[lost[i].id]);
	}
}

/* All of it is there already, so that nobody waits for the first lines. */
static bool is_file(const char *path)
{
	struct stat st;

	return strcmp(path, "-") && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

int read_capture(const struct options *opt, struct report *report)
{
	struct reader r = {.out = {.form = opt->form,
				   .filter = opt->filter,
				   .limit = opt->count,
				   .color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")}};
	char error[ERROR_MAX];
	uint64_t frames = 0;
	int rc = EXIT_ERROR, err;

	signal(SIGPIPE, SIG_IGN);
	r.engine = native_new(opt->flows, on_record, &r);
	r.pipe = (struct pipeline){.identity = identity_new(NULL, NULL),
				   .report = report,
				   .sink = on_event,
				   .sink_arg = &r};
	r.out.gather = is_file(opt->file);
	if (!r.engine || !r.pipe.identity || pipeline_merge(&r.pipe) ||
	    (r.out.gather && pipeline_look_back(&r.pipe))) {
		log_error("out of memory");
		goto out;
	}
	if (services_open(&r.services, opt, NULL, NULL))
		goto out;
	services_report(&r.services, report);
	r.pipe.book = r.services.book;
	err = capture_read(opt->file, on_frame, &r, &frames, error, sizeof(error));
	native_end(r.engine);
	pipeline_end(&r.pipe);
	output_flush(&r.out); /* ahead of what is said on stderr */
	if (err < 0)
		log_error("%s", error);
	if (err >= 0 || frames)
		say_counts(&r, frames);
	if (opt->fail_on_fallback)
		finding_say(&r.out, native_counters(r.engine));
	if (err >= 0 && !output_failed(&r.out))
		rc = opt->fail_on_fallback && r.out.fallbacks ? EXIT_FINDING : EXIT_OK;
out:
	native_free(r.engine);
	merge_free(r.pipe.merge);
	identity_free(r.pipe.identity);
	lookback_free(r.pipe.lookback);
	learn_free(r.pipe.learn);
	services_close(&r.services);
	buf_free(&r.out.line);
	return rc;
}

int cmd_read(int argc, char **argv)
{
	struct options opt;
	int rc = options_parse(&opt, FOR_READ, "read", "FILE", argc, argv);

	if (rc >= 0)
		return rc;
	if (!opt.form_set)
		opt.form = OUTPUT_COLUMNS;
	return read_capture(&opt, NULL);
}
