// SPDX-License-Identifier: BSD-3-Clause
/*
 * --qlog DIR: what connections do goes to files (qlane/observe.h), by a thread of its own, so that
 * no lcore waits for a disk. What fails says so on standard error.
 */
#ifndef QL_APP_WATCH_H
#define QL_APP_WATCH_H

#include <pthread.h>

#include <qlane/observe.h>

struct ql_watch {
	struct ql_qlog **qlogs; /* of each lane; NULL: nothing is watched */
	uint64_t *next_flush;	/* the same, ns */
	unsigned int n;
	const char *dir;
	pthread_t writer;
	bool stop;
};

/*
 * dir NULL: nothing is watched. Before EAL, which binds the calling thread to its lcore: the writer
 * runs wherever the process may. False after a message.
 */
bool ql_watch_open(struct ql_watch *w, const char *dir);

/* The tracer for a lane's engine, made when it is asked for first; or NULL. Lanes from 0 on. */
struct ql_tracer *ql_watch_tracer(struct ql_watch *w, unsigned int lane);

/* On the lane's lcore, now and then between turns. */
void ql_watch_tick(struct ql_watch *w, unsigned int lane, uint64_t now);

/* When the engines are gone: write the rest. False after a message if not all was written. */
bool ql_watch_close(struct ql_watch *w);

#endif /* QL_APP_WATCH_H */
