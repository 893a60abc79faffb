// SPDX-License-Identifier: GPL-2.0-only
/*
 * A comparison takes 50 ms and more of a CPU, by design. On the agent's thread whoever sends wrong
 * passwords would keep it from reading the kernel's ring; so one thread of its own does them, one
 * after the other, with lower priority than the agent, and not many may wait.
 */
#include "bcrypt.h"

#include <crypt.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "privilege.h"

#define NICE 10

struct work {
	struct work *next;
	char hash[BCRYPT_LEN + 1];
	char password[BCRYPT_PASSWORD_MAX];
	bool right;
	bcrypt_fn fn;
	void *arg;
};

struct bcrypt {
	struct loop *loop;
	pthread_t thread;
	int wake; /* eventfd: something is done */
	unsigned int waiting; /* asked and not told; the loop's thread alone */
	pthread_mutex_t lock; /* for what is below */
	pthread_cond_t more;
	struct work *first, **last;
	struct work *done;
	bool stop;
};

bool bcrypt_is_hash(const char *text, const char **why)
{
	static const char salt[] =
		"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	int cost;

	*why = "expected a bcrypt hash of 60 characters that begins with $2a$, $2b$ or $2y$; "
	       "`htpasswd -nBC 10 USER` makes one";
	if (strlen(text) != BCRYPT_LEN || strncmp(text, "$2", 2) || !strchr("aby", text[2]) ||
	    text[3] != '$' || strspn(text + 4, "0123456789") != 2 || text[6] != '$' ||
	    strspn(text + 7, salt) != BCRYPT_LEN - 7)
		return false;
	cost = (text[4] - '0') * 10 + text[5] - '0';
	*why = "expected a cost of 04 to 14: each step doubles the time that a comparison takes, "
	       "and one of 14 takes a second; `htpasswd -nBC 10 USER` makes one";
	if (cost < 4 || cost > BCRYPT_COST_MAX)
		return false;
	*why = "expected a bcrypt hash that crypt(3) knows; `htpasswd -nBC 10 USER` makes one";
	return crypt_checksalt(text) == CRYPT_SALT_OK;
}

static bool compare(const struct work *w, struct crypt_data *scratch)
{
	const char *got = crypt_r(w->password, w->hash, scratch);

	return got && strlen(got) == BCRYPT_LEN && !gnutls_memcmp(got, w->hash, BCRYPT_LEN);
}

static void *run(void *arg)
{
	struct crypt_data *scratch = calloc(1, sizeof(*scratch));
	struct bcrypt *b = arg;
	uint64_t one = 1;

	privilege_keep(0); /* it reads words from the net, and opens nothing */
	setpriority(PRIO_PROCESS, 0, NICE); /* in Linux of the calling thread alone */
	pthread_mutex_lock(&b->lock);
	while (!b->stop) {
		struct work *w = b->first;

		if (!w) {
			pthread_cond_wait(&b->more, &b->lock);
			continue;
		}
		b->first = w->next;
		if (!b->first)
			b->last = &b->first;
		pthread_mutex_unlock(&b->lock);
		w->right = scratch && compare(w, scratch);
		pthread_mutex_lock(&b->lock);
		w->next = b->done;
		b->done = w;
		if (write(b->wake, &one, sizeof(one)) < 0)
			break; /* cannot be: it would have to overflow */
	}
	pthread_mutex_unlock(&b->lock);
	if (scratch)
		explicit_bzero(scratch, sizeof(*scratch));
	free(scratch);
	return NULL;
}

static void tell(struct bcrypt *b, struct work *list)
{
	while (list) {
		struct work *w = list;
		bcrypt_fn fn = w->fn;
		void *arg = w->arg;
		bool right = w->right;

		list = w->next;
		explicit_bzero(w, sizeof(*w));
		free(w);
		b->waiting--;
		fn(arg, right);
	}
}

static void on_wake(void *arg, uint32_t events)
{
	struct bcrypt *b = arg;
	struct work *done;
	uint64_t count;

	(void)events;
	if (read(b->wake, &count, sizeof(count)) < 0)
		return;
	pthread_mutex_lock(&b->lock);
	done = b->done;
	b->done = NULL;
	pthread_mutex_unlock(&b->lock);
	tell(b, done);
}

/* Signals are the agent's thread's. */
static int start_thread(struct bcrypt *b)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&b->thread, NULL, run, b);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

struct bcrypt *bcrypt_new(struct loop *loop)
{
	struct bcrypt *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return NULL;
	b->loop = loop;
	b->last = &b->first;
	pthread_mutex_init(&b->lock, NULL);
	pthread_cond_init(&b->more, NULL);
	b->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	err = b->wake < 0 ? -errno : loop_add(loop, b->wake, EPOLLIN, on_wake, b);
	if (!err)
		err = start_thread(b);
	if (!err)
		return b;
	loop_remove(loop, b->wake);
	if (b->wake >= 0)
		close(b->wake);
	free(b);
	errno = -err;
	return NULL;
}

int bcrypt_ask(struct bcrypt *b, const char *hash, const char *password, bcrypt_fn fn, void *arg)
{
	struct work *w;

	if (b->waiting >= BCRYPT_WAITING_MAX)
		return -EBUSY;
	w = calloc(1, sizeof(*w));
	if (!w)
		return -ENOMEM;
	memcpy(w->hash, hash, BCRYPT_LEN);
	memcpy(w->password, password, strnlen(password, sizeof(w->password) - 1));
	w->fn = fn;
	w->arg = arg;
	b->waiting++;
	pthread_mutex_lock(&b->lock);
	*b->last = w;
	b->last = &w->next;
	pthread_cond_signal(&b->more);
	pthread_mutex_unlock(&b->lock);
	return 0;
}

void bcrypt_free(struct bcrypt *b)
{
	if (!b)
		return;
	pthread_mutex_lock(&b->lock);
	b->stop = true;
	pthread_cond_signal(&b->more);
	pthread_mutex_unlock(&b->lock);
	pthread_join(b->thread, NULL);
	for (struct work *w = b->done; w; w = w->next)
		w->right = false;
	tell(b, b->done);
	tell(b, b->first);
	loop_remove(b->loop, b->wake);
	close(b->wake);
	pthread_cond_destroy(&b->more);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
