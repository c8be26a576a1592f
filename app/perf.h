// SPDX-License-Identifier: BSD-3-Clause
/*
 * The performance protocol (draft-banks-quic-performance, ALPN "perf"). A client's stream begins
 * with 8 bytes, big endian, that say how many bytes it wants back, and ends after what the client
 * wants to send; then the server sends as many. UINT64_MAX: until the client asks it to stop. What
 * is sent are zeros; what comes is counted and dropped.
 *
 * All sizes are bytes of content, without those 8. Both sides work on the engine's thread.
 */
#ifndef QL_APP_PERF_H
#define QL_APP_PERF_H

#include <sys/queue.h>

#include <qlane/engine.h>

#include "options.h"

#define QL_PERF_ALPN "perf"

/* ---- The server: an entry for ql_listen() ---- */

/* Answers to unidirectional streams that may wait for streams of ours; more end the connection. */
#define QL_PERF_WAITING 16

struct ql_perf_conn;

/* All zero before its use. */
struct ql_perf_server {
	LIST_HEAD(, ql_perf_conn) conns;
	unsigned int n_conns;
	uint64_t streams, received, sent; /* sent: given to the streams */
};

struct ql_proto ql_perf_proto(struct ql_perf_server *server);

/* Close all connections; they are gone when n_conns is 0. */
void ql_perf_server_close(struct ql_perf_server *server);

/* ---- The client ---- */

struct ql_perf_options {
	struct ql_addr to;
	const char *sni;	   /* NULL: the address */
	uint64_t upload, download; /* of each stream; 0: not measured */
	unsigned int connections;
	unsigned int streams;  /* of each connection, in all */
	unsigned int parallel; /* of these, at a time */
};

/* One direction after the other is measured, on the same connections. */
struct ql_perf_figure {
	uint64_t bytes; /* upload: that the server has acknowledged */
	/* From the first stream's opening to the last end of the server's answers. */
	uint64_t ns;
	unsigned int streams; /* that are complete */
};

struct ql_perf_stats {
	struct ql_perf_figure up, down;
	unsigned int connected, failed; /* failed: streams */
	uint64_t handshake_ns;		/* the longest */
	uint64_t lost_packets;
};

struct ql_perf;

struct ql_lane;

struct ql_perf_network {
	struct ql_engine *engine;
	struct ql_lane *lane; /* NULL: any port of ours will do */
	struct ql_tls_ctx *tls;
	struct ql_transport transport;
	struct ql_ifaddrs ip; /* ours */
};

/* NULL without memory. */
struct ql_perf *ql_perf_new(const struct ql_perf_options *options);
/* After its engine is gone. */
void ql_perf_free(struct ql_perf *perf);

/* False after a message. */
bool ql_perf_start(struct ql_perf *perf, const struct ql_perf_network *network, uint64_t now);

/* All is measured, or a connection has failed after a message. */
bool ql_perf_ended(const struct ql_perf *perf);

/* Close the connections; to be called until it is true. Before the end: what is missing failed. */
bool ql_perf_close(struct ql_perf *perf);

const struct ql_perf_stats *ql_perf_stats(const struct ql_perf *perf);

/* The direction that is measured at this time, "up" or "down", with its bytes until now. */
const char *ql_perf_progress(const struct ql_perf *perf, uint64_t *bytes);

#endif /* QL_APP_PERF_H */
