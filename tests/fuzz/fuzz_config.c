// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_config - the files that are read: a configuration, one of the web server, which names no
 * file, and the state of observed expectations.
 * An input is a byte that tells which, and the file.
 *
 * A configuration is one or has located errors, at most so many, of printable text; every handshake
 * can be asked of it. State that was read is written so that it is read to the same again.
 */
#include "check.h"

#include "config.h"
#include "reader.h"
#include "state_text.h"
#include "web_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned int lines(const struct buf *said)
{
	unsigned int n = 0;

	for (size_t i = 0; i < said->len; i++)
		n += said->data[i] == '\n';
	return n;
}

static void check_said(const struct buf *said, bool failed)
{
	CHECK(!said->failed);
	for (size_t i = 0; i < said->len; i++)
		CHECK(said->data[i] == '\n' || (said->data[i] >= ' ' && said->data[i] <= '~'));
	for (const char *line = said->data; line && *line; line = strchr(line, '\n') + 1)
		CHECK(!strncmp(line, "f:", 2));
	if (failed)
		CHECK(lines(said) >= 1 && lines(said) <= READER_ERRORS_MAX + 1);
}

static void check_rules(const struct config *config)
{
	CHECK(config->rules <= CONFIG_RULES_MAX);
	for (unsigned int i = 0; i < config->rules; i++) {
		const struct rule *rule = &config->rule[i];

		CHECK(rule->line && rule->roles && rule->roles < 1U << ROLE_COUNT);
		CHECK(rule->name[0] || rule->expects || rule->exempt.count);
		CHECK(rule->port.count <= CONFIG_LIST_MAX && rule->sni.count <= CONFIG_LIST_MAX);
		CHECK(rule->expect.count <= EXPECT_MAX);
		CHECK(strnlen(rule->name, SERVICE_NAME_MAX) < SERVICE_NAME_MAX);
	}
}

static void ask(const struct config *config, const uint8_t *data, size_t size)
{
	static const uint8_t addr[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1};
	static const struct workload work = {.cgroup = "/a/b", .unit = "a.service"};
	struct service_book *book = service_new(4);
	struct service_key key = {.name = "own",
				  .server_port = 443,
				  .sni = data,
				  .sni_len = size < 255 ? size : 255,
				  .server_addr = addr,
				  .client_addr = addr,
				  .work = &work};
	struct service_facts facts;

	CHECK(book);
	service_configure(book, config);
	for (key.role = 0; key.role < ROLE_COUNT; key.role++) {
		service_find(book, &key, &facts);
		CHECK(facts.name[0]);
		CHECK((facts.expect.source == EXPECT_NONE) == !facts.expect.count);
	}
	service_free(book);
}

static void configuration(const uint8_t *data, size_t size)
{
	struct buf said = {0}, text = {0};
	struct config *config = config_parse((const char *)data, size, "f", &said);

	check_said(&said, !config);
	if (config) {
		check_rules(config);
		config_describe(config, &text);
		CHECK(!text.failed);
		ask(config, data, size);
	}
	config_free(config);
	buf_free(&said);
	buf_free(&text);
}

/* No room is left for files, so that none is opened. */
static void web(const uint8_t *data, size_t size)
{
	struct web_files files = {.count = WEB_FILES_MAX};
	struct buf said = {0}, text = {0};
	struct web_config *config = web_config_parse((const char *)data, size, "f", &files, &said);

	check_said(&said, !config);
	CHECK(files.count == WEB_FILES_MAX);
	if (config) {
		CHECK(config->users <= WEB_USERS_MAX && config->headers <= WEB_HEADERS_MAX);
		CHECK(!config->has_tls || (config->tls.credentials && config->tls.priority));
		CHECK(config->tls.min <= config->tls.max);
		web_config_describe(config, &text);
		CHECK(!text.failed);
	}
	web_config_put(config);
	buf_free(&said);
	buf_free(&text);
}

static void state(const uint8_t *data, size_t size)
{
	struct service_book *first = service_new(100), *second = service_new(200);
	struct buf text = {0}, again = {0};
	struct state_read r;

	CHECK(first && second);
	r = state_read_text(first, (const char *)data, size);
	CHECK(!r.damaged == !r.why[0] && !r.damaged == !r.line);
	state_write_text(first, &text);
	r = state_read_text(second, text.data, text.len);
	CHECK(!r.damaged && !r.refused);
	state_write_text(second, &again);
	CHECK(again.len == text.len && !memcmp(again.data, text.data, text.len));
	service_free(first);
	service_free(second);
	buf_free(&text);
	buf_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] == '%')
		web(data + 1, size - 1);
	else if (data[0] < 192)
		configuration(data + 1, size - 1);
	else
		state(data + 1, size - 1);
	return 0;
}
