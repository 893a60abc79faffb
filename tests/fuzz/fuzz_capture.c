// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_capture - a pcap or pcapng file to frames to records, as `read` does it. Every byte
 * of every frame is read; an error is one line.
 */
#include "small.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int take(void *arg, const struct capture_frame *f)
{
	const struct native_frame frame = {.bytes = f->bytes,
					   .caplen = f->caplen,
					   .ethertype = f->ethertype,
					   .offset = f->offset,
					   .ns = (uint64_t)f->wall_ns};
	struct rig *r = arg;
	static volatile uint8_t sum;

	CHECK(f->offset <= f->caplen);
	CHECK(f->ethertype != CAPTURE_ETHERNET || !f->offset);
	for (uint32_t i = 0; i < f->caplen; i++)
		sum = (uint8_t)(sum + f->bytes[i]);
	if (f->ethertype != CAPTURE_NOT_IP)
		native_frame(r->native, &frame);
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rig *r = rig_new(SMALL_FLOWS);
	char error[512] = "", path[32];
	static int fd = -1;
	uint64_t frames;
	int err;

	if (fd < 0)
		fd = memfd_create("capture", MFD_CLOEXEC);
	CHECK(fd >= 0 && !ftruncate(fd, 0));
	CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = capture_read(path, take, r, &frames, error, sizeof(error));
	CHECK(err <= 0 && !err == !error[0]);
	CHECK(!strchr(error, '\n'));
	rig_free(r);
	return 0;
}
