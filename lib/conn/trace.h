// SPDX-License-Identifier: BSD-3-Clause
/*
 * What connections tell whoever watches them: observe/qlog.c, which writes it down.
 *
 * An engine may have one tracer (ql_engine_config.tracer). It is asked about each new connection,
 * and told what happens to those that it takes; ql_conn.trace is its own pointer for one. A
 * connection that nobody watches costs one predicted branch where an event could be.
 *
 * The functions run in the middle of things, on the engine's thread: they read the connection and
 * what they are given, which is valid during the call only, change nothing, and do not block. The
 * time is conn->host->now. All of them must be there.
 */
#ifndef QL_CONN_TRACE_H
#define QL_CONN_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <qlane/engine.h>

#include "crypto/protect.h"
#include "crypto/tls.h"
#include "recovery/sent.h"
#include "wire/packet.h"
#include "wire/tparams.h"

struct ql_conn_path;

enum ql_trace_key {
	QL_TRACE_KEY_NEW,     /* from TLS, or for Initial packets */
	QL_TRACE_KEY_UPDATED, /* the next key phase */
	QL_TRACE_KEY_GONE,
};

enum ql_trace_path {
	QL_TRACE_PATH_PROBED,	 /* its validation begins */
	QL_TRACE_PATH_VALIDATED, /* it has succeeded */
	QL_TRACE_PATH_FAILED,
	QL_TRACE_PATH_USED, /* it is the connection's path now */
};

struct ql_tracer {
	/*
	 * A connection begins: role, path, endpoint and the client's first destination ID
	 * (hs->original_dcid) are known. Returns what becomes conn->trace; NULL: not this one.
	 */
	void *(*start)(struct ql_tracer *tracer, const struct ql_conn *conn);
	/* The last call. */
	void (*end)(void *trace, const struct ql_conn *conn);

	/* conn->state has another value; when closing or draining, conn->close says why. */
	void (*state)(void *trace, const struct ql_conn *conn);
	/* The transport parameters of one end. */
	void (*params)(void *trace, const struct ql_conn *conn, const struct ql_tparams *tp,
		       bool local);
	/* Keys of one direction; write: those we send with. by_peer: its update, which we follow.
	 */
	void (*key)(void *trace, const struct ql_conn *conn, enum ql_level level, bool write,
		    enum ql_trace_key what, bool by_peer);

	/* Complete, and not sealed yet. flags: QL_SENT_*. */
	void (*sent)(void *trace, const struct ql_conn *conn, const struct ql_seal_job *job,
		     unsigned int flags, const struct ql_path *path);
	/* Authenticated and not a duplicate; its frames have not been looked at. */
	void (*received)(void *trace, const struct ql_conn *conn, enum ql_pkt_type type,
			 const struct ql_open_job *job, const struct ql_path *path);
	/* A packet without frames, taken by a client: Version Negotiation or Retry. */
	void (*answered)(void *trace, const struct ql_conn *conn, const struct ql_pkt_hdr *hdr);
	void (*dropped)(void *trace, const struct ql_conn *conn, enum ql_drop reason);
	/* late: by its time (RFC 9002, 6.1.2), not because of what was acknowledged behind it. */
	void (*lost)(void *trace, const struct ql_conn *conn, unsigned int space, uint64_t pn,
		     const struct ql_sent_pkt *pkt, bool late);

	/* conn->rec may have changed, otherwise than by sent() and lost(). */
	void (*metrics)(void *trace, const struct ql_conn *conn);
	void (*path)(void *trace, const struct ql_conn *conn, const struct ql_conn_path *path,
		     enum ql_trace_path what);
	/* A stream is there, or is about to go. */
	void (*stream)(void *trace, const struct ql_conn *conn, const struct ql_stream *stream,
		       bool open);
	/* A datagram (RFC 9221) passes between the application and us. */
	void (*datagram)(void *trace, const struct ql_conn *conn, size_t len, bool from_app);
};

/* QL_TRACE(conn, sent, job, flags, path): calls tracer->sent() with them if conn is watched. */
#define QL_TRACE(conn, what, ...)                                                         \
	do {                                                                              \
		if (__builtin_expect((conn)->watched, 0))                                 \
			(conn)->host->tracer->what((conn)->trace, (conn), ##__VA_ARGS__); \
	} while (0)

#endif
