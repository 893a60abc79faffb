// SPDX-License-Identifier: GPL-2.0-only
#include "links.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <bpf/libbpf.h>

#include "privilege.h"

struct item {
	struct item *next;
	struct bpf_link *link;
	unsigned int *left;
};

/* @last: where the next item is put */
struct links {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t more;
	struct item *first, **last;
	bool ending;
};

/* The next one; NULL when there is none and none will be. */
static struct item *next(struct links *l)
{
	struct item *item;

	pthread_mutex_lock(&l->lock);
	while (!l->first && !l->ending)
		pthread_cond_wait(&l->more, &l->lock);
	item = l->first;
	if (item) {
		l->first = item->next;
		if (!l->first)
			l->last = &l->first;
	}
	pthread_mutex_unlock(&l->lock);
	return item;
}

static void *work(void *arg)
{
	struct item *item;

	privilege_keep(0);
	while ((item = next(arg))) {
		bpf_link__destroy(item->link);
		__atomic_fetch_sub(item->left, 1, __ATOMIC_SEQ_CST);
		free(item);
	}
	return NULL;
}

struct links *links_new(void)
{
	struct links *l = calloc(1, sizeof(*l));
	sigset_t all, before;
	int err;

	if (!l)
		return NULL;
	l->last = &l->first;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->more, NULL);
	sigfillset(&all); /* signals are the event loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&l->thread, NULL, work, l);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!err)
		return l;
	free(l);
	return NULL;
}

void links_let_go(struct links *l, struct bpf_link *link, unsigned int *left)
{
	struct item *item = l ? malloc(sizeof(*item)) : NULL;

	if (!item) {
		bpf_link__destroy(link);
		return;
	}
	*item = (struct item){.link = link, .left = left};
	__atomic_fetch_add(left, 1, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&l->lock);
	*l->last = item;
	l->last = &item->next;
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
}

bool links_are_gone(const unsigned int *left)
{
	return !__atomic_load_n(left, __ATOMIC_SEQ_CST);
}

void links_free(struct links *l)
{
	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_cond_signal(&l->more);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->thread, NULL);
	pthread_cond_destroy(&l->more);
	pthread_mutex_destroy(&l->lock);
	free(l);
}
