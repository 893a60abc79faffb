// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_text - what people write and what the socket says: --expect, the options and their
 * filters, the control protocol's request. An input is a byte that tells which, and the text.
 *
 * A failure is told in one line, success in none; a request that was read can be written,
 * and read again to the same.
 */
#include "check.h"

#include "control.h"
#include "option_set.h"
#include "options.h"
#include "service.h"

#define TEXT_MAX 8192
#define ERROR_SIZE 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char text[TEXT_MAX + 1], error[ERROR_SIZE];

static void told(int err)
{
	CHECK(err <= 0 && memchr(error, 0, sizeof(error)));
	CHECK(!err == !error[0]);
}

static void expect(void)
{
	struct service_book *book = service_new(16);
	const struct service_key key = {.name = "a", .server_port = 443, .role = ROLE_SERVER};
	struct service_facts f;

	CHECK(book);
	told(service_expect(book, text, error, sizeof(error)));
	service_find(book, &key, &f);
	CHECK(f.expect.count <= EXPECT_MAX);
	CHECK((f.expect.source == EXPECT_NONE) == (f.expect.count == 0));
	service_free(book);
}

static void option(uint32_t which)
{
	static OPTION_SETTER((*const setters[])) = {
		set_interface, set_expect, set_output, set_count,  set_duration,
		set_fail_on,   set_hook,   set_flows,  set_listen, set_socket,
		set_telemetry, set_port,   set_sni,    set_alpn,   set_outcome};
	struct options o = {0};

	told(setters[which % (sizeof(setters) / sizeof(setters[0]))](&o, text, error,
								     sizeof(error)));
}

static void request(void)
{
	struct watch first, second;
	struct buf line = {0};

	memset(&first, 0, sizeof(first));
	memset(&second, 0, sizeof(second));
	told(control_parse(text, &first, error, sizeof(error)));
	if (error[0])
		return;
	control_request(&first, &line);
	CHECK(!line.failed && line.len && line.data[line.len - 1] == '\n');
	CHECK(line.len <= CONTROL_REQUEST_MAX);
	line.data[line.len - 1] = 0;
	CHECK(strlen(line.data) == line.len - 1 && !strchr(line.data, '\n'));
	CHECK(!control_parse(line.data, &second, error, sizeof(error)));
	CHECK(!memcmp(&first, &second, sizeof(first)));
	buf_free(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > TEXT_MAX)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = 0;
	error[0] = 0;
	if (data[0] < 16)
		expect();
	else if (data[0] < 128)
		option(data[0]);
	else
		request();
	return 0;
}
