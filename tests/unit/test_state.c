// SPDX-License-Identifier: GPL-2.0-only
/* state.c and state_text.c: what was observed outlives the agent, whatever happens to the file. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "state.h"
#include "state_text.h"

static char dir[64];

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/alpnscope-state-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

/* Calls @fn for each file of the directory; how many. */
static int each_file(void (*fn)(const char *path, void *arg), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	char path[512];
	int count = 0;

	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		count++;
		if (fn)
			fn(path, arg);
	}
	closedir(d);
	return count;
}

static void remove_file(const char *path, void *arg)
{
	(void)arg;
	unlink(path);
}

static int teardown(void **state)
{
	(void)state;
	each_file(remove_file, NULL);
	return rmdir(dir);
}

static struct service_key key_of(const char *name, uint16_t port, enum role role, const char *sni)
{
	return (struct service_key){.name = name,
				    .server_port = port,
				    .role = role,
				    .sni = (const uint8_t *)sni,
				    .sni_len = strlen(sni)};
}

static const char *observed(const struct service_book *book, const struct service_key *key)
{
	static struct service_facts facts;

	service_find(book, key, &facts);
	return facts.expect.source == EXPECT_OBSERVED ? facts.expect.name[0] : "";
}

static void write_file(const char *name, const char *text, size_t len)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void read_text(const char *path, struct buf *out)
{
	char chunk[4096];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	fclose(f);
}

static struct state *open_dir(struct service_book *book)
{
	char error[512] = "";
	struct state *s = state_open(dir, book, NULL, error, sizeof(error));

	if (!s)
		fail_msg("%s", error);
	return s;
}

static void the_text_is_as_described(void **state)
{
	struct service_book *book = service_new(10);
	struct service_key keys[] = {key_of("nginx.service", 443, ROLE_SERVER, "www.example.org"),
				     key_of("a b\\", 8443, ROLE_CLIENT, ""),
				     key_of("-", 1, ROLE_TRANSIT, "-")};
	struct buf out = {0};

	(void)state;
	assert_int_equal(service_restore(book, &keys[0], "h2"), 0);
	assert_int_equal(service_restore(book, &keys[1], "http/1.1"), 0);
	assert_int_equal(service_restore(book, &keys[2], "h3-29"), 0);
	state_write_text(book, &out);
	assert_string_equal(out.data, "alpnscope-observed 1\n"
				      "server 443 h2 nginx.service www.example.org\n"
				      "client 8443 http/1.1 a\\x20b\\x5c -\n"
				      "transit 1 h3-29 \\x2d \\x2d\n"
				      "end 3\n");
	buf_free(&out);
	service_free(book);
}

static void a_restart_forgets_nothing(void **state)
{
	static const char hostile[] = "\xff\n \\x20-\t\"";
	struct service_key keys[] = {key_of("nginx", 443, ROLE_SERVER, "www.example.org"),
				     key_of("nginx", 443, ROLE_SERVER, hostile),
				     key_of("curl", 443, ROLE_CLIENT, "-"),
				     key_of("unknown", 65535, ROLE_TRANSIT, "")};
	struct service_book *book = service_new(10);
	struct state *s = open_dir(book);

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(service_restore(book, &keys[i], i % 2 ? "http/1.1" : "h2"), 0);
	state_close(s);
	service_free(book);
	assert_int_equal(each_file(NULL, NULL), 2); /* and the lock */

	book = service_new(10);
	s = open_dir(book);
	for (size_t i = 0; i < 4; i++)
		assert_string_equal(observed(book, &keys[i]), i % 2 ? "http/1.1" : "h2");
	/* what is forgotten stays so */
	assert_int_equal(service_forget(book, "nginx"), 2);
	state_close(s);
	service_free(book);

	book = service_new(10);
	s = open_dir(book);
	assert_string_equal(observed(book, &keys[0]), "");
	assert_string_equal(observed(book, &keys[2]), "h2");
	state_close(s);
	service_free(book);
}

static void nothing_is_written_without_a_change(void **state)
{
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, "");
	struct service_book *book = service_new(10);
	struct state *s = open_dir(book);
	struct stat before, after;
	char path[512];

	(void)state;
	snprintf(path, sizeof(path), "%s/" STATE_FILE, dir);
	assert_int_equal(state_save(s), 0);
	assert_int_not_equal(stat(path, &before), 0);
	assert_int_equal(service_restore(book, &key, "h2"), 0);
	assert_int_equal(state_save(s), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(before.st_mode & 0777, 0640);
	assert_int_equal(service_restore(book, &key, "http/1.1"), 0);
	state_close(s);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	service_free(book);
}

static void one_agent_at_a_time(void **state)
{
	struct service_book *book = service_new(10);
	struct state *s = open_dir(book);
	char error[512];

	(void)state;
	assert_null(state_open(dir, book, NULL, error, sizeof(error)));
	assert_non_null(strstr(error, "another agent uses it; give this one a --state-dir"));
	state_close(s);
	state_close(open_dir(book));
	assert_null(state_open("/proc/none", book, NULL, error, sizeof(error)));
	assert_non_null(strstr(error, "--state-dir /proc/none: "));
	service_free(book);
	state_close(NULL);
}

#define HEAD "alpnscope-observed 1\n"
#define ONE "server 443 h2 nginx www.example.org\n"

static void keep_damaged(const char *path, void *arg)
{
	if (strstr(path, "/" STATE_FILE ".damaged-"))
		strcpy(arg, path);
}

/* What can be read is taken, the rest is kept beside: nothing is lost. */
static void damage_is_set_aside(void **state)
{
	static const struct {
		const char *text;
		bool taken;
	} rows[] = {
		{"", false},
		{"\n", false},
		{"alpnscope-observed 2\n" ONE "end 1\n", false},
		{HEAD, false},
		{HEAD ONE, true},
		{HEAD ONE "end 2\n", true},
		{HEAD ONE "end 1", true},
		{HEAD ONE "end 1\nmore\n", true},
		{HEAD ONE "server 443 h2 ngi", true},
		{HEAD "server 443 h2 nginx\n" ONE "end 1\n", true},
		{HEAD "server 443 h2 nginx a b\n" ONE "end 1\n", true},
		{HEAD "sever 443 h2 nginx -\n" ONE "end 1\n", true},
		{HEAD "server 65536 h2 nginx -\n" ONE "end 1\n", true},
		{HEAD "server x h2 nginx -\n" ONE "end 1\n", true},
		{HEAD "server 443 mqtt nginx -\n" ONE "end 1\n", true},
		{HEAD "server 443 h2 - -\n" ONE "end 1\n", true},
		{HEAD "server 443 h2 a\\x00b -\n" ONE "end 1\n", true},
		{HEAD "server 443 h2 nginx a\\xg0\n" ONE "end 1\n", true},
		{HEAD "server 443 h2 nginx a\\\n" ONE "end 1\n", true},
		{HEAD "server 443 h2 nginx \xff\n" ONE "end 1\n", true},
	};
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, "www.example.org");

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct service_book *book = service_new(10);
		char path[512] = "";
		struct buf kept = {0};
		struct state *s;

		write_file(STATE_FILE, rows[i].text, strlen(rows[i].text));
		s = open_dir(book);
		if (strcmp(observed(book, &key), rows[i].taken ? "h2" : "") != 0)
			fail_msg("row %zu: \"%s\"", i, rows[i].text);
		each_file(keep_damaged, path);
		if (!*path)
			fail_msg("row %zu: not set aside", i);
		read_text(path, &kept);
		assert_string_equal(kept.data ? kept.data : "", rows[i].text);
		buf_free(&kept);
		state_close(s);
		service_free(book);
		/* what was read is in a whole file again */
		if (rows[i].taken) {
			snprintf(path, sizeof(path), "%s/" STATE_FILE, dir);
			read_text(path, &kept);
			assert_string_equal(kept.data, HEAD ONE "end 1\n");
			buf_free(&kept);
		}
		each_file(remove_file, NULL);
	}
}

static void each_damaged_file_has_its_own_name(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		struct service_book *book = service_new(10);

		write_file(STATE_FILE, "x", 1);
		state_close(open_dir(book));
		service_free(book);
	}
	assert_int_equal(each_file(NULL, NULL), 4); /* and the lock */
}

/* Every truncation of a file gives a part of it, and says so. */
static void every_prefix_is_a_part(void **state)
{
	static const char whole[] = HEAD ONE "client 1 http/1.1 a -\nend 2\n";

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		struct service_book *book = service_new(10);
		struct state_read r = state_read_text(book, whole, len);

		assert_int_equal(r.services,
				 (len >= strlen(HEAD ONE)) +
					 (len >= sizeof(whole) - 1 - strlen("end 2\n")));
		assert_int_equal(!r.damaged, len == sizeof(whole) - 1);
		service_free(book);
	}
}

static void more_than_there_is_room_for(void **state)
{
	static const char text[] =
		HEAD "server 1 h2 a -\nserver 1 h2 b -\nserver 1 h2 c -\nend 3\n";
	struct service_book *book = service_new(2);
	struct state_read r = state_read_text(book, text, sizeof(text) - 1);

	(void)state;
	assert_int_equal(r.services, 2);
	assert_int_equal(r.refused, 1);
	assert_int_equal(r.damaged, 0);
	service_free(book);
}

/* An agent that was killed while it wrote leaves a part of a file. */
static void what_was_not_finished_goes(void **state)
{
	struct service_book *book = service_new(10);
	struct state *s;

	(void)state;
	write_file(STATE_FILE ".new", "x", 1);
	s = open_dir(book);
	assert_int_equal(each_file(NULL, NULL), 1); /* the lock */
	state_close(s);
	service_free(book);
}

static void a_file_that_is_no_file_ends_the_start(void **state)
{
	struct service_book *book = service_new(10);
	char path[512], error[512];

	(void)state;
	snprintf(path, sizeof(path), "%s/" STATE_FILE, dir);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_null(state_open(dir, book, NULL, error, sizeof(error)));
	assert_int_equal(unlink(path), 0);
	service_free(book);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text_is_as_described),
		TEST(a_restart_forgets_nothing),
		TEST(nothing_is_written_without_a_change),
		TEST(one_agent_at_a_time),
		TEST(damage_is_set_aside),
		TEST(each_damaged_file_has_its_own_name),
		cmocka_unit_test(every_prefix_is_a_part),
		cmocka_unit_test(more_than_there_is_room_for),
		TEST(what_was_not_finished_goes),
		TEST(a_file_that_is_no_file_ends_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
