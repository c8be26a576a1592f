// SPDX-License-Identifier: BSD-3-Clause
#include "watch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "stack.h"

#define PAUSE_US 5000 /* of the writer, when nothing waits */
#define FLUSH_NS QL_NSEC_PER_SEC

static void *write_files(void *arg)
{
	struct ql_watch *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		unsigned int n = __atomic_load_n(&w->n, __ATOMIC_ACQUIRE);
		bool wrote = false;

		for (unsigned int i = 0; i < n; i++)
			wrote |= ql_qlog_write(w->qlogs[i]);
		if (!wrote)
			usleep(PAUSE_US);
	}
	return NULL;
}

static bool add(struct ql_watch *w)
{
	struct ql_qlog_config config = {.dir = w->dir, .wall_clock = true};

	w->qlogs[w->n] = ql_qlog_open(&config);
	if (!w->qlogs[w->n]) {
		ql_complain("--qlog %s: %s%s", w->dir, strerror(errno),
			    errno == ENOENT ? "; it is not made for you" : "");
		return false;
	}
	__atomic_store_n(&w->n, w->n + 1, __ATOMIC_RELEASE);
	return true;
}

static void clear(struct ql_watch *w)
{
	free(w->qlogs);
	free(w->next_flush);
	w->qlogs = NULL;
	w->next_flush = NULL;
}

bool ql_watch_open(struct ql_watch *w, const char *dir)
{
	int rc;

	*w = (struct ql_watch){.dir = dir};
	if (!dir)
		return true;
	w->qlogs = calloc(QL_LANES, sizeof(struct ql_qlog *));
	w->next_flush = calloc(QL_LANES, sizeof(*w->next_flush));
	if (!w->qlogs || !w->next_flush || !add(w)) {
		clear(w);
		return false;
	}
	rc = pthread_create(&w->writer, NULL, write_files, w);
	if (rc) {
		ql_complain("--qlog: no thread to write with: %s", strerror(rc));
		ql_qlog_close(w->qlogs[0]);
		clear(w);
		return false;
	}
	return true;
}

struct ql_tracer *ql_watch_tracer(struct ql_watch *w, unsigned int lane)
{
	if (!w->qlogs || (lane == w->n && !add(w)))
		return NULL;
	return ql_qlog_tracer(w->qlogs[lane]);
}

void ql_watch_tick(struct ql_watch *w, unsigned int lane, uint64_t now)
{
	if (!w->qlogs || now < w->next_flush[lane])
		return;
	ql_qlog_flush(w->qlogs[lane]);
	w->next_flush[lane] = now + FLUSH_NS;
}

bool ql_watch_close(struct ql_watch *w)
{
	struct ql_qlog_stats stats, all = {0};
	int rc = 0, first = 0;

	if (!w->qlogs)
		return true;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	pthread_join(w->writer, NULL);
	for (unsigned int i = 0; i < w->n; i++) {
		ql_qlog_write(w->qlogs[i]);
		ql_qlog_stats(w->qlogs[i], &stats);
		all.not_watched += stats.not_watched;
		all.dropped += stats.dropped;
		all.files_failed += stats.files_failed;
		rc = ql_qlog_close(w->qlogs[i]);
		first = first ? first : rc;
	}
	clear(w);
	if (all.not_watched > 0 || all.dropped > 0)
		ql_complain("--qlog %s: %llu connections were too many at a time and have no file, "
			    "and %llu events are left out of others",
			    w->dir, (unsigned long long)all.not_watched,
			    (unsigned long long)all.dropped);
	if (first < 0)
		ql_complain("--qlog %s: %s; %llu files are not there, or not complete", w->dir,
			    strerror(-first), (unsigned long long)all.files_failed);
	return first == 0;
}
