// SPDX-License-Identifier: GPL-2.0-only
#include "doctor_library.h"

#include <string.h>

#include "library_attach.h"
#include "library_follow.h"
#include "library_scan.h"

#define WHY_MAX 512
#define SHOWN_MAX 16 /* files that are told one by one */

/* TLS libraries that are known by the name of their file, and cannot be asked. */
static const struct blind {
	const char *file, *what;
} blinds[] = {
	{"libjvm.so", "Java (JSSE)"}, {"libssl3.so", "NSS"}, {"libmbedtls.so", "mbedTLS"},
	{"libwolfssl.so", "wolfSSL"}, {"libs2n.so", "s2n"},
};

#define BLINDS (sizeof(blinds) / sizeof(blinds[0]))

struct look {
	void (*say)(void *arg, const struct doctor_finding *f);
	void *arg;
	unsigned int found, unread;
	bool blind[BLINDS];
};

static void note_blind(struct look *l, const struct library_file *file)
{
	const char *slash = strrchr(file->name, '/');
	const char *name = slash ? slash + 1 : file->name;
	struct doctor_finding f;

	for (size_t i = 0; i < BLINDS; i++) {
		if (l->blind[i] || strncmp(name, blinds[i].file, strlen(blinds[i].file)) != 0)
			continue;
		l->blind[i] = true;
		doctor_find(&f, DOCTOR_NOTE,
			    "cannot ask %s in %.256s (%.16s, pid %d); its choice is inferred",
			    blinds[i].what, file->name, file->comm, (int)file->pid);
		l->say(l->arg, &f);
	}
}

static void on_file(void *arg, const struct library_file *file)
{
	struct look *l = arg;
	struct library_look look;
	struct doctor_finding f;
	char why[WHY_MAX];

	note_blind(l, file);
	if (library_look(file->path, &look, why, sizeof(why))) {
		l->unread++;
		return;
	}
	if (look.kind == LIBRARY_NONE || l->found++ >= SHOWN_MAX)
		return;
	doctor_find(&f, DOCTOR_OK, "--library asks %s in %.256s (%.16s, pid %d)",
		    library_name(look.kind), file->name, file->comm, (int)file->pid);
	l->say(l->arg, &f);
}

/* Would the programs load? */
static bool loads(struct doctor_finding *f)
{
	const struct library_words nobody = {0};
	struct library_programs *p;
	char error[WHY_MAX];

	p = library_load(&nobody, error, sizeof(error));
	if (!p)
		doctor_find(f, DOCTOR_NOTE, "%s", error);
	library_unload(p);
	return p;
}

static void say_rest(const struct look *l, int err)
{
	struct doctor_finding f;

	if (l->found > SHOWN_MAX) {
		doctor_find(&f, DOCTOR_OK, "--library asks %u files more", l->found - SHOWN_MAX);
		l->say(l->arg, &f);
	}
	if (err)
		doctor_find(&f, DOCTOR_NOTE, "cannot look at the processes in /proc: %s",
			    strerror(-err));
	else if (l->unread)
		doctor_find(&f, DOCTOR_NOTE,
			    "%u files that run could not be read; run as root to see all",
			    l->unread);
	else if (!l->found)
		doctor_find(&f, DOCTOR_OK,
			    "no process has OpenSSL, GnuTLS or Go's crypto/tls now; --library "
			    "finds those that start later");
	else
		return;
	l->say(l->arg, &f);
}

void doctor_libraries(void (*say)(void *arg, const struct doctor_finding *f), void *arg)
{
	struct look l = {.say = say, .arg = arg};
	struct doctor_finding f;

	if (!loads(&f)) {
		say(arg, &f);
		return;
	}
	say_rest(&l, library_scan(0, on_file, &l));
	doctor_find(&f, DOCTOR_NOTE,
		    "--library cannot ask what is linked in without symbols (BoringSSL in "
		    "browsers, Envoy), rustls, or Go before 1.17");
	say(arg, &f);
}
