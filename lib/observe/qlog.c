// SPDX-License-Identifier: BSD-3-Clause
#include "observe/qlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_ring.h>

#define DEFAULT_MEMORY (UINT64_C(32) << 20)
#define CHUNKS_MAX     (1u << 20)
#define NAME_ROOM      (2 * QL_CID_MAX + sizeof("_server.sqlog"))

struct ql_qlog {
	struct ql_tracer tracer; /* first: a pointer to one is a pointer to the other */
	int dir;
	bool wall_clock;
	/* Chunks with something in them, to the writer; and what it has done with. */
	struct rte_ring *full, *empty, *over;
	void *chunks;
	struct ql_qlog_trace *traces;
	unsigned int n_traces;
	/* The engine's side. */
	uint64_t connections, not_watched, events, dropped;
	/* The writer's. */
	uint64_t files, bytes, failed;
	int error; /* the first */
};

static inline char *text(const struct ql_qlog_chunk *c)
{
	return (char *)(uintptr_t)(c + 1);
}

/* ---- The engine's side ---- */

static void hand_over(struct ql_qlog_trace *t)
{
	if (t->chunk)
		rte_ring_sp_enqueue(t->qlog->full, t->chunk);
	t->chunk = NULL;
}

char *ql_qlog_reserve(struct ql_qlog_trace *t)
{
	struct ql_qlog_chunk *c = t->chunk;
	void *next;

	if (c && QL_QLOG_CHUNK - sizeof(*c) - c->len < QL_QLOG_RECORD) {
		hand_over(t);
		c = NULL;
	}
	if (!c && rte_ring_sc_dequeue(t->qlog->empty, &next) == 0) {
		t->chunk = c = next;
		*c = (struct ql_qlog_chunk){.trace = t};
	}
	return c ? text(c) + c->len : NULL;
}

void ql_qlog_commit(struct ql_qlog_trace *t, size_t len)
{
	t->chunk->len += (uint32_t)len;
}

static bool begin(struct ql_qlog_trace *t, struct ql_json *j, uint64_t now, const char *name)
{
	char *buf = ql_qlog_reserve(t);

	if (!buf)
		return false;
	*j = (struct ql_json){.p = buf, .end = buf + QL_QLOG_RECORD};
	ql_json_char(j, '\x1e');
	ql_json_char(j, '{');
	ql_json_ms(j, "time", now);
	ql_json_str(j, "name", name);
	if (t->tuple) {
		char tuple[12];

		snprintf(tuple, sizeof(tuple), "%u", t->tuple);
		ql_json_str(j, "tuple", tuple);
	}
	ql_json_open(j, "data", '{');
	return true;
}

static bool end(struct ql_qlog_trace *t, struct ql_json *j)
{
	char *buf = text(t->chunk) + t->chunk->len;

	ql_json_raw(j, "}}\n", 3);
	if (j->full)
		return false;
	ql_qlog_commit(t, (size_t)(j->p - buf));
	t->qlog->events++;
	return true;
}

static void drop(struct ql_qlog_trace *t)
{
	t->dropped++;
	t->qlog->dropped++;
}

/* There is room again: say what is missing. */
static void put_dropped(struct ql_qlog_trace *t, uint64_t now)
{
	char message[64];
	struct ql_json j;

	if (!begin(t, &j, now, "loglevel:warning"))
		return;
	snprintf(message, sizeof(message), "%llu events left out: no memory",
		 (unsigned long long)t->dropped);
	ql_json_str(&j, "message", message);
	if (end(t, &j))
		t->dropped = 0;
}

bool ql_qlog_begin(struct ql_qlog_trace *t, struct ql_json *j, uint64_t now, const char *name)
{
	if (t->dropped)
		put_dropped(t, now);
	if (!t->dropped && begin(t, j, now, name))
		return true;
	drop(t);
	return false;
}

void ql_qlog_end(struct ql_qlog_trace *t, struct ql_json *j)
{
	if (!end(t, j))
		drop(t);
}

static void *start(struct ql_tracer *tracer, const struct ql_conn *conn)
{
	struct ql_qlog *q = (struct ql_qlog *)tracer;
	struct ql_qlog_trace *t;
	void *free_one;

	/* A file without its head is none: a chunk is there for it. */
	if (rte_ring_empty(q->empty) || rte_ring_sc_dequeue(q->over, &free_one) < 0) {
		q->not_watched++;
		return NULL;
	}
	t = free_one;
	memset(t, 0, sizeof(*t));
	t->qlog = q;
	t->live = true;
	t->fd = -1;
	t->end = (struct ql_qlog_chunk){.trace = t, .last = true};
	t->server = conn->server;
	t->odcid = conn->hs->original_dcid;
	q->connections++;
	ql_qlog_started(t, conn, q->wall_clock);
	return t;
}

static void finish(void *trace, const struct ql_conn *conn)
{
	struct ql_qlog_trace *t = trace;

	ql_qlog_ended(t, conn);
	/* Nothing came that was a client's: whoever sends junk makes no files. */
	if (t->chunk && t->server && !t->genuine)
		t->chunk->len = 0;
	hand_over(t);
	t->live = false;
	rte_ring_sp_enqueue(t->qlog->full, &t->end);
}

void ql_qlog_flush(struct ql_qlog *q)
{
	for (unsigned int i = 0; i < q->n_traces; i++) {
		if (q->traces[i].live)
			hand_over(&q->traces[i]);
	}
}

/* ---- The writer's side ---- */

static void fail(struct ql_qlog *q, struct ql_qlog_trace *t, int error)
{
	if (!q->error)
		q->error = error;
	t->failed = true;
	q->failed++;
}

/* Whatever has the name, a link perhaps, is not followed but replaced. */
static bool open_file(struct ql_qlog *q, struct ql_qlog_trace *t)
{
	char name[NAME_ROOM];
	size_t n = 0;

	for (unsigned int i = 0; i < t->odcid.len; i++)
		n += (size_t)snprintf(name + n, sizeof(name) - n, "%02x", t->odcid.id[i]);
	strcpy(name + n, t->server ? "_server.sqlog" : "_client.sqlog");
	unlinkat(q->dir, name, 0);
	t->fd = openat(q->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (t->fd < 0)
		fail(q, t, errno);
	else
		q->files++;
	return t->fd >= 0;
}

static void write_chunk(struct ql_qlog *q, const struct ql_qlog_chunk *c)
{
	struct ql_qlog_trace *t = c->trace;
	const char *p = text(c);
	size_t left = c->len;

	if (left == 0 || t->failed || (t->fd < 0 && !open_file(q, t)))
		return;
	while (left > 0) {
		ssize_t n = write(t->fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fail(q, t, n < 0 ? errno : ENOSPC);
			return;
		}
		p += n;
		left -= (size_t)n;
		q->bytes += (uint64_t)n;
	}
}

static void close_trace(struct ql_qlog *q, struct ql_qlog_trace *t)
{
	if (t->fd >= 0 && close(t->fd) < 0 && !t->failed)
		fail(q, t, errno);
	t->fd = -1;
	rte_ring_sp_enqueue(q->over, t);
}

bool ql_qlog_write(struct ql_qlog *q)
{
	bool any = false;
	void *next;

	while (rte_ring_sc_dequeue(q->full, &next) == 0) {
		struct ql_qlog_chunk *c = next;

		any = true;
		if (c->last) {
			close_trace(q, c->trace);
		} else {
			write_chunk(q, c);
			rte_ring_sp_enqueue(q->empty, c);
		}
	}
	return any;
}

/* ---- Opening and closing ---- */

/* EAL need not be there: nothing of it is shared with another process. Room for n pointers. */
static struct rte_ring *make_ring(unsigned int n, const char *name)
{
	unsigned int size = rte_align32pow2(n + 1);
	struct rte_ring *r = aligned_alloc(RTE_CACHE_LINE_SIZE, (size_t)rte_ring_get_memsize(size));

	if (r && rte_ring_init(r, name, size, RING_F_SP_ENQ | RING_F_SC_DEQ) < 0) {
		free(r);
		return NULL;
	}
	return r;
}

static void give(struct ql_qlog *q)
{
	if (q->dir >= 0)
		close(q->dir);
	free(q->full);
	free(q->empty);
	free(q->over);
	free(q->chunks);
	free(q->traces);
	free(q);
}

static int take(struct ql_qlog *q, unsigned int n_chunks, unsigned int n_traces)
{
	q->full = make_ring(n_chunks + n_traces, "ql_qlog_full");
	q->empty = make_ring(n_chunks, "ql_qlog_empty");
	q->over = make_ring(n_traces, "ql_qlog_over");
	q->chunks = calloc(n_chunks, QL_QLOG_CHUNK); /* not touched before it is used */
	q->traces = calloc(n_traces, sizeof(*q->traces));
	if (!q->full || !q->empty || !q->over || !q->chunks || !q->traces)
		return ENOMEM;
	for (unsigned int i = 0; i < n_chunks; i++)
		rte_ring_sp_enqueue(q->empty, (char *)q->chunks + (size_t)i * QL_QLOG_CHUNK);
	q->n_traces = n_traces;
	for (unsigned int i = 0; i < n_traces; i++)
		rte_ring_sp_enqueue(q->over, &q->traces[i]);
	return 0;
}

static int open_dir(struct ql_qlog *q, const char *dir)
{
	q->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (q->dir < 0)
		return errno;
	return faccessat(q->dir, ".", W_OK | X_OK, AT_EACCESS) < 0 ? errno : 0;
}

struct ql_qlog *ql_qlog_open(const struct ql_qlog_config *config)
{
	uint64_t n = (config->memory ? config->memory : DEFAULT_MEMORY) / QL_QLOG_CHUNK;
	struct ql_qlog *q;
	int error;

	if (n < 2 || n > CHUNKS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	q = calloc(1, sizeof(*q));
	if (!q)
		return NULL;
	q->tracer = ql_qlog_events;
	q->tracer.start = start;
	q->tracer.end = finish;
	q->wall_clock = config->wall_clock;
	error = open_dir(q, config->dir);
	if (error == 0)
		error = take(q, (unsigned int)n, (unsigned int)n / 2);
	if (error) {
		give(q);
		errno = error;
		return NULL;
	}
	return q;
}

struct ql_tracer *ql_qlog_tracer(struct ql_qlog *q)
{
	return &q->tracer;
}

static uint64_t read_u64(const uint64_t *v)
{
	return __atomic_load_n(v, __ATOMIC_RELAXED);
}

void ql_qlog_stats(const struct ql_qlog *q, struct ql_qlog_stats *stats)
{
	*stats = (struct ql_qlog_stats){
		.connections = read_u64(&q->connections),
		.not_watched = read_u64(&q->not_watched),
		.events = read_u64(&q->events),
		.dropped = read_u64(&q->dropped),
		.files = read_u64(&q->files),
		.bytes = read_u64(&q->bytes),
		.files_failed = read_u64(&q->failed),
	};
}

int ql_qlog_close(struct ql_qlog *q)
{
	int error;

	if (!q)
		return 0;
	ql_qlog_write(q);
	error = q->error;
	give(q);
	return -error;
}
