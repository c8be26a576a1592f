// SPDX-License-Identifier: BSD-3-Clause
#include "watch.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "options.h"

#define PAUSE_US 5000 /* of the writer, when nothing waits */
#define FLUSH_NS QL_NSEC_PER_SEC

static void *write_files(void *arg)
{
	struct ql_watch *w = arg;

	while (!__atomic_load_n(&w->stop, __ATOMIC_RELAXED)) {
		if (!ql_qlog_write(w->qlog))
			usleep(PAUSE_US);
	}
	return NULL;
}

bool ql_watch_open(struct ql_watch *w, const char *dir)
{
	struct ql_qlog_config config = {.dir = dir, .wall_clock = true};
	int rc;

	*w = (struct ql_watch){.dir = dir};
	if (!dir)
		return true;
	w->qlog = ql_qlog_open(&config);
	if (!w->qlog) {
		ql_complain("--qlog %s: %s%s", dir, strerror(errno),
			    errno == ENOENT ? "; it is not made for you" : "");
		return false;
	}
	rc = pthread_create(&w->writer, NULL, write_files, w);
	if (rc) {
		ql_complain("--qlog: no thread to write with: %s", strerror(rc));
		ql_qlog_close(w->qlog);
		w->qlog = NULL;
		return false;
	}
	return true;
}

struct ql_tracer *ql_watch_tracer(struct ql_watch *w)
{
	return w->qlog ? ql_qlog_tracer(w->qlog) : NULL;
}

void ql_watch_tick(struct ql_watch *w, uint64_t now)
{
	if (!w->qlog || now < w->next_flush)
		return;
	ql_qlog_flush(w->qlog);
	w->next_flush = now + FLUSH_NS;
}

bool ql_watch_close(struct ql_watch *w)
{
	struct ql_qlog_stats stats;
	int rc;

	if (!w->qlog)
		return true;
	__atomic_store_n(&w->stop, true, __ATOMIC_RELAXED);
	pthread_join(w->writer, NULL);
	ql_qlog_write(w->qlog);
	ql_qlog_stats(w->qlog, &stats);
	rc = ql_qlog_close(w->qlog);
	w->qlog = NULL;
	if (stats.not_watched > 0 || stats.dropped > 0)
		ql_complain("--qlog %s: %llu connections were too many at a time and have no file, "
			    "and %llu events are left out of others",
			    w->dir, (unsigned long long)stats.not_watched,
			    (unsigned long long)stats.dropped);
	if (rc < 0)
		ql_complain("--qlog %s: %s; %llu files are not there, or not complete", w->dir,
			    strerror(-rc), (unsigned long long)stats.files_failed);
	return rc == 0;
}
