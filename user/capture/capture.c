// SPDX-License-Identifier: GPL-2.0-only
#include "capture.h"

#include <errno.h>
#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "linktype.h"

#define NS_PER_SEC 1000000000
#define MAGIC_LEN 4

struct reader {
	const char *name;
	FILE *file;
	pcap_t *pcap;
	uint8_t magic[MAGIC_LEN];
	uint64_t frames;
	char *error;
	size_t error_size;
};

static int __attribute__((format(printf, 3, 4)))
fail(const struct reader *r, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(r->error, r->error_size, format, args);
	va_end(args);
	return err;
}

/* A pcap file counts seconds in 32 bits without a sign, but libpcap reads one. */
static int64_t wall_ns(const struct reader *r, const struct timeval *ts)
{
	static const uint8_t pcapng[MAGIC_LEN] = {0x0a, 0x0d, 0x0d, 0x0a};
	int64_t sec = ts->tv_sec, ns;

	if (memcmp(r->magic, pcapng, MAGIC_LEN))
		sec = (uint32_t)sec;
	/* Nanoseconds of a hostile pcapng can pass 64 bits: the last moment there is. */
	if (__builtin_mul_overflow(sec, (int64_t)NS_PER_SEC, &ns) ||
	    __builtin_add_overflow(ns, (int64_t)ts->tv_usec, &ns))
		return sec < 0 ? INT64_MIN : INT64_MAX;
	return ns;
}

/* The packers that captures meet, by their magic number. */
static const char *unpacker(const uint8_t *magic)
{
	static const struct {
		uint8_t magic[MAGIC_LEN];
		size_t len;
		const char *command;
	} packers[] = {
		{{0x1f, 0x8b}, 2, "gzip"},
		{{'B', 'Z', 'h'}, 3, "bzip2"},
		{{0xfd, '7', 'z', 'X'}, 4, "xz"},
		{{0x28, 0xb5, 0x2f, 0xfd}, 4, "zstd"},
		{{0x04, 0x22, 0x4d, 0x18}, 4, "lz4"},
	};

	for (size_t i = 0; i < sizeof(packers) / sizeof(packers[0]); i++)
		if (!memcmp(magic, packers[i].magic, packers[i].len))
			return packers[i].command;
	return NULL;
}

static int open_file(struct reader *r, const char *path)
{
	struct stat st;
	int err;

	r->file = strcmp(path, "-") ? fopen(path, "rbe") : stdin;
	if (!r->file) {
		err = -errno;
		if (err == -EACCES)
			return fail(r, err,
				    "cannot open %s: %s; get read permission, or pipe it: "
				    "sudo cat FILE | alpnscope read -",
				    r->name, strerror(-err));
		return fail(r, err, "cannot open %s: %s; check the path", r->name, strerror(-err));
	}
	if (!fstat(fileno(r->file), &st) && S_ISDIR(st.st_mode))
		return fail(r, -EISDIR, "%s is a directory; name a pcap or pcapng file in it",
			    r->name);
	return 0;
}

/*
 * Look at the first bytes and put them back, so that a pipe is read from its
 * beginning. (glibc takes back as many bytes as its buffer just gave.)
 */
static int peek_magic(struct reader *r)
{
	size_t got = fread(r->magic, 1, MAGIC_LEN, r->file);
	const char *command;

	if (ferror(r->file))
		return fail(r, -EIO, "cannot read %s: %s; check the disk or the pipe", r->name,
			    strerror(errno));
	if (!got)
		return fail(r, -ENODATA, "%s is empty: no capture was written to it; capture again",
			    r->name);
	command = unpacker(r->magic);
	if (command)
		return fail(r, -EPROTONOSUPPORT,
			    "%s is packed by %s; unpack it first: %s -dc FILE | alpnscope read -",
			    r->name, command, command);
	while (got)
		if (ungetc(r->magic[--got], r->file) == EOF)
			return fail(r, -EIO, "cannot read %s: no room to look ahead; try again",
				    r->name);
	return 0;
}

/* libpcap tells causes by text alone; the texts are those of 1.10. */
static int explain(const struct reader *r, const char *cause)
{
	char after[48] = "";

	if (r->frames)
		snprintf(after, sizeof(after), " after frame %" PRIu64, r->frames);
	if (strstr(cause, "unknown file format"))
		return fail(r, -EPROTONOSUPPORT,
			    "%s is not a capture in pcap or pcapng format; check the path, or "
			    "convert it: editcap -F nsecpcap FILE OUT",
			    r->name);
	if (strstr(cause, "different from the type of the first interface"))
		return fail(r, -EPROTONOSUPPORT,
			    "cannot read %s%s: its interfaces have different link types, which "
			    "libpcap does not read; capture each interface to a file of its own",
			    r->name, after);
	if (strstr(cause, "different from the snapshot length of the first interface"))
		return fail(r, -EPROTONOSUPPORT,
			    "cannot read %s%s: its interfaces have different snapshot lengths, "
			    "which libpcap does not read; convert it: editcap -F nsecpcap FILE OUT",
			    r->name, after);
	if (strstr(cause, "truncated"))
		return fail(r, -EBADMSG,
			    "%s is cut short%s (%s); what came before the cut was read; copy or "
			    "capture it again for the rest",
			    r->name, after, cause);
	return fail(r, -EBADMSG,
		    "cannot read %s%s (%s); what came before was read; copy or capture it again "
		    "for the rest",
		    r->name, after, cause);
}

static int open_pcap(struct reader *r)
{
	char cause[PCAP_ERRBUF_SIZE] = "";

	r->pcap = pcap_fopen_offline_with_tstamp_precision(r->file, PCAP_TSTAMP_PRECISION_NANO,
							   cause);
	return r->pcap ? 0 : explain(r, cause);
}

static int unread_link(const struct reader *r, int link)
{
	const char *name = pcap_datalink_val_to_name(link);

	return fail(r, -EPROTONOSUPPORT,
		    "cannot read %s: link type %s (%d); Ethernet, Linux cooked (SLL, SLL2), raw "
		    "IP, null, PPP, HDLC, 802.11 and some more are read; capture on an interface "
		    "of these",
		    r->name, name ? name : "unknown", link);
}

static int read_frames(struct reader *r, capture_fn fn, void *arg)
{
	int link = pcap_datalink(r->pcap);
	linktype_fn decode = linktype_decoder(link);
	struct pcap_pkthdr *header;
	const u_char *bytes;
	int got, stop;

	if (!decode)
		return unread_link(r, link);
	while ((got = pcap_next_ex(r->pcap, &header, &bytes)) == 1) {
		struct capture_frame f = {.wall_ns = wall_ns(r, &header->ts),
					  .bytes = bytes,
					  .caplen = header->caplen,
					  .len = header->len};

		decode(&f);
		r->frames++;
		stop = fn(arg, &f);
		if (stop)
			return stop;
	}
	return got == PCAP_ERROR_BREAK ? 0 : explain(r, pcap_geterr(r->pcap));
}

int capture_read(const char *path, capture_fn fn, void *arg, uint64_t *frames, char *error,
		 size_t error_size)
{
	struct reader r = {.name = strcmp(path, "-") ? path : "standard input",
			   .error = error,
			   .error_size = error_size};
	int err = open_file(&r, path);

	if (!err)
		err = peek_magic(&r);
	if (!err)
		err = open_pcap(&r);
	if (!err)
		err = read_frames(&r, fn, arg);
	*frames = r.frames;
	/* libpcap closes the file with the capture, but never standard input. */
	if (r.pcap)
		pcap_close(r.pcap);
	else if (r.file && r.file != stdin)
		fclose(r.file);
	return err;
}
