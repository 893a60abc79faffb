// SPDX-License-Identifier: GPL-2.0-only
#include "library_follow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include "hash.h"

#include "buf.h"
#include "library_scan.h"
#include "log.h"

#define KNOWN_MAX 16384 /* files; beyond, new ones are not looked into */
#define WHY_MAX 512
#define NO_NUMBER AS_LIBRARY_FILES

struct key {
	uint64_t dev, ino;
};

/**
 * struct known - a file that was looked into, TLS library or not.
 * @seen: some process had it mapped at the last look at all of them
 * @number: NO_NUMBER when it is not asked
 * @dev, @ino: by stat(), which need not be what /proc/PID/maps says
 */
struct known {
	UT_hash_handle hh;
	struct key key;
	bool seen;
	enum library_kind kind;
	unsigned int number;
	dev_t dev;
	ino_t ino;
	char *name;
};

struct follow {
	struct library_programs *programs;
	void (*attached)(void *arg, unsigned int number);
	void *arg;
	struct known *known;
	struct known *by_number[AS_LIBRARY_FILES];
	struct follow_count count;
	bool full_said;
};

struct follow *follow_new(struct library_programs *programs,
			  void (*attached)(void *arg, unsigned int number), void *arg)
{
	struct follow *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->programs = programs;
	f->attached = attached;
	f->arg = arg;
	return f;
}

/* "VERB KIND in NAME": the name is another process' bytes. */
static void say(void (*log)(const char *, ...), const char *verb, const struct known *k,
		const char *more)
{
	struct buf text = {0};

	buf_escaped(&text, (const uint8_t *)k->name, strlen(k->name));
	if (!text.failed)
		log("%s %s in %s%s", verb, library_name(k->kind), text.data ? text.data : "?",
		    more);
	buf_free(&text);
}

static void forget(struct follow *f, struct known *k)
{
	if (k->number != NO_NUMBER) {
		library_detach(f->programs, k->number);
		f->by_number[k->number] = NULL;
		f->count.attached[k->kind]--;
		say(log_verbose, "no longer asking", k, "");
	}
	HASH_DEL(f->known, k);
	free(k->name);
	free(k);
}

void follow_free(struct follow *f)
{
	struct known *k, *next;

	if (!f)
		return;
	HASH_ITER (hh, f->known, k, next)
		forget(f, k);
	free(f);
}

static unsigned int free_number(const struct follow *f)
{
	unsigned int n;

	for (n = 0; n < AS_LIBRARY_FILES && !library_is_free(f->programs, n); n++)
		;
	return n;
}

static void attach(struct follow *f, struct known *k, const char *path,
		   const struct library_look *look)
{
	unsigned int number = free_number(f);
	int err;

	if (number == NO_NUMBER) {
		f->count.full++;
		if (!f->full_said)
			say(log_error, "cannot ask", k,
			    ": too many files are asked already; their handshakes are judged "
			    "without");
		f->full_said = true;
		return;
	}
	if (f->attached)
		f->attached(f->arg, number);
	err = library_attach(f->programs, number, path, look);
	if (err) {
		f->count.failed++;
		say(log_error, "cannot ask", k,
		    err == -ENOENT   ? ": it has nothing that could be asked"
		    : err == -EMFILE ? ": too many open files; raise LimitNOFILE"
				     : ": the kernel refuses the uprobes");
		return;
	}
	k->number = number;
	f->by_number[number] = k;
	f->count.attached[k->kind]++;
	say(log_verbose, "asking", k, "");
}

/* Look into a file that was not known. One that cannot be read may be readable later. */
static void add(struct follow *f, const struct library_file *file, const struct key *key)
{
	struct library_look look = {0};
	char why[WHY_MAX] = "";
	struct known *k;
	struct stat st;

	if (HASH_COUNT(f->known) >= KNOWN_MAX || stat(file->path, &st))
		return;
	k = calloc(1, sizeof(*k));
	if (!k)
		return;
	k->key = *key;
	k->seen = true;
	k->number = NO_NUMBER;
	k->dev = st.st_dev;
	k->ino = st.st_ino;
	k->name = strdup(file->name);
	if (k->name)
		HASH_ADD(hh, f->known, key, sizeof(k->key), k);
	if (!k->name || !k->hh.tbl) {
		free(k->name);
		free(k);
		return;
	}
	if (library_look(file->path, &look, why, sizeof(why)))
		log_verbose("%s", why);
	k->kind = look.kind;
	if (k->kind != LIBRARY_NONE)
		attach(f, k, file->path, &look);
}

static void on_file(void *arg, const struct library_file *file)
{
	const struct key key = {.dev = file->dev, .ino = file->ino};
	struct follow *f = arg;
	struct known *k;

	HASH_FIND(hh, f->known, &key, sizeof(key), k);
	if (k)
		k->seen = true;
	else
		add(f, file, &key);
}

/* Is it still there for the next program, in this mount namespace? */
static bool is_in_place(const struct known *k)
{
	struct stat st;

	return !stat(k->name, &st) && st.st_dev == k->dev && st.st_ino == k->ino;
}

void follow_all(struct follow *f)
{
	struct known *k, *next;
	int err;

	for (k = f->known; k; k = k->hh.next)
		k->seen = false;
	err = library_scan(0, on_file, f);
	if (err) {
		log_error("cannot look for TLS libraries in /proc: %s; new ones are not asked",
			  strerror(-err));
		return;
	}
	HASH_ITER (hh, f->known, k, next)
		if (!k->seen && (k->number == NO_NUMBER || !is_in_place(k)))
			forget(f, k);
}

void follow_process(struct follow *f, pid_t pid)
{
	library_scan(pid, on_file, f);
}

enum library_kind follow_kind(const struct follow *f, unsigned int number)
{
	const struct known *k = number < AS_LIBRARY_FILES ? f->by_number[number] : NULL;

	return k ? k->kind : LIBRARY_NONE;
}

const struct follow_count *follow_count(const struct follow *f)
{
	return &f->count;
}

const char *library_name(enum library_kind kind)
{
	static const char *const names[LIBRARY_KINDS] = {
		[LIBRARY_NONE] = "none",
		[LIBRARY_OPENSSL] = "openssl",
		[LIBRARY_GNUTLS] = "gnutls",
		[LIBRARY_GO] = "go",
	};

	return names[kind];
}
