// SPDX-License-Identifier: BSD-3-Clause
/*
 * qlog as its own sources see it (draft-ietf-quic-qlog-main-schema, -quic-events):
 *
 *	qlog.c		opening and closing, buffers, and the files
 *	qlog_events.c	what the connections tell (conn/trace.h), as events
 *	qlog_packets.c	packets and frames
 *
 * Two sides. The engine's thread writes events into the chunk of their connection and puts full
 * chunks on a ring; whoever calls ql_qlog_write() takes them there, writes them to the files, and
 * gives them back on another ring. Nothing else is shared, and the engine's side never waits: with
 * no chunk to be had an event is left out, counted, and the file says so.
 */
#ifndef QL_OBSERVE_QLOG_H
#define QL_OBSERVE_QLOG_H

#include <qlane/observe.h>

#include "conn/conn.h"
#include "observe/json.h"

#define QL_QLOG_CHUNK  32768 /* bytes of a chunk with its head */
#define QL_QLOG_RECORD 8192  /* bytes that an event may have */
#define QL_QLOG_LIST   6144  /* above that a list of frames or ranges is cut short */
#define QL_QLOG_TUPLES 4     /* paths of a connection that have a name at a time */

struct ql_qlog_trace;

/* What goes over the ring to the writer: the head of a chunk, whose text follows it. */
struct ql_qlog_chunk {
	struct ql_qlog_trace *trace;
	uint32_t len;
	bool last; /* of the trace; it has no text, and is no chunk of the pool's */
};

/* Figures that are only told when they have changed. */
struct ql_qlog_metrics {
	uint64_t rtt_min, rtt_smoothed, rtt_latest, rtt_var;
	uint64_t pto_count, cwnd, in_flight, ssthresh, pacing_rate;
};

struct ql_qlog_tuple {
	struct ql_path path;
	uint32_t id; /* 0: the first one's, which has the name "" */
	bool used;
};

/* A connection that is watched. */
struct ql_qlog_trace {
	struct ql_qlog *qlog;
	bool live;		     /* the connection is there */
	struct ql_qlog_chunk *chunk; /* being filled; or NULL */
	struct ql_qlog_chunk end;    /* tells the writer that this was all */
	struct ql_cid odcid;	     /* names the file */
	bool server;
	bool genuine;	  /* something authenticated: a server's trace without is thrown away */
	uint64_t dropped; /* events, since the last that was written */

	uint8_t state; /* enum ql_conn_state, as told */
	bool closed;
	uint32_t key_phase;
	uint32_t version; /* as told */
	uint32_t mtu;
	const char *congestion;
	struct ql_qlog_metrics metrics;
	struct ql_cid peer_cid, local_cid; /* in use */
	struct ql_qlog_tuple tuples[QL_QLOG_TUPLES];
	uint32_t n_tuples; /* ever */
	uint32_t tuple;	   /* that the running event is about */

	/* The writer's. */
	int fd; /* -1: not open */
	bool failed;
};

/* The functions behind ql_qlog_tracer(), without those that begin and end a trace. */
extern const struct ql_tracer ql_qlog_events;

/* ---- qlog.c ---- */

/* Room for QL_QLOG_RECORD bytes in the trace's chunk; NULL if there is none. Then commit so many.
 */
char *ql_qlog_reserve(struct ql_qlog_trace *t);
void ql_qlog_commit(struct ql_qlog_trace *t, size_t len);

/*
 * An event: {"time":...,"name":"quic:...","data":{ ... the caller's ... }}. False, and nothing to
 * end, when there is no room.
 */
bool ql_qlog_begin(struct ql_qlog_trace *t, struct ql_json *j, uint64_t now, const char *name);
void ql_qlog_end(struct ql_qlog_trace *t, struct ql_json *j);

/* ---- qlog_events.c ---- */

/* The first record of a file and what is known when a connection begins. wall_clock: say when. */
void ql_qlog_started(struct ql_qlog_trace *t, const struct ql_conn *conn, bool wall_clock);
/* The last events. */
void ql_qlog_ended(struct ql_qlog_trace *t, const struct ql_conn *conn);
/* The versions: ours and the one in use, or ours and those of a Version Negotiation packet. */
void ql_qlog_versions(struct ql_qlog_trace *t, const struct ql_conn *conn,
		      const struct ql_pkt_hdr *negotiation);
void ql_qlog_metrics(void *trace, const struct ql_conn *conn);
/* The events that follow are about this path. */
void ql_qlog_set_tuple(struct ql_qlog_trace *t, const struct ql_conn *conn,
		       const struct ql_path *path);
/* A packet to or from this ID: another one than the last? */
void ql_qlog_cid(struct ql_qlog_trace *t, const struct ql_conn *conn, bool local,
		 struct ql_cid_view cid);

/* ---- qlog_packets.c ---- */

void ql_qlog_sent(void *trace, const struct ql_conn *conn, const struct ql_seal_job *job,
		  unsigned int flags, const struct ql_path *path);
void ql_qlog_received(void *trace, const struct ql_conn *conn, enum ql_pkt_type type,
		      const struct ql_open_job *job, const struct ql_path *path);
void ql_qlog_answered(void *trace, const struct ql_conn *conn, const struct ql_pkt_hdr *hdr);
void ql_qlog_dropped(void *trace, const struct ql_conn *conn, enum ql_drop reason);
void ql_qlog_lost(void *trace, const struct ql_conn *conn, unsigned int space, uint64_t pn,
		  const struct ql_sent_pkt *pkt, bool late);

/* A transport error's name under key, and its number if it has none. */
void ql_qlog_error(struct ql_json *j, const char *key, uint64_t code, bool app);

#endif /* QL_OBSERVE_QLOG_H */
