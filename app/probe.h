// SPDX-License-Identifier: BSD-3-Clause
/*
 * Datagrams to a server that sends them back (echo.h), one every so often on one connection, and
 * what became of each. A datagram begins with its number, 8 bytes; the others follow from that, so
 * that damage shows. One thread.
 */
#ifndef QL_APP_PROBE_H
#define QL_APP_PROBE_H

#include <qlane/engine.h>

#define QL_PROBE_MIN_SIZE 8
#define QL_PROBE_MAX	  1000000

struct ql_probe;

struct ql_probe_options {
	uint32_t count;	      /* at most QL_PROBE_MAX */
	uint16_t size;	      /* bytes of data in each, at least QL_PROBE_MIN_SIZE */
	uint64_t interval_ns; /* 0: as soon as there is room in the queue */
	uint64_t wait_ns;     /* for answers, after the last one was sent */
};

/* Times in ns. Round trips are the application's: queues of both ends are in them. */
struct ql_probe_result {
	uint32_t sent, received;
	uint32_t lost_there; /* of those without an answer: the server's QUIC did not have them */
	uint32_t lost_back;  /* it had, and no answer came */
	uint32_t duplicates, damaged;			   /* of what came */
	uint64_t min, mean, median, p90, p99, max, jitter; /* 0 if none came */
	uint64_t handshake_ns, rtt_ns; /* of the connection; rtt_ns as QUIC sees it at the end */
};

/*
 * Connect, with the transport's datagrams allowed. sni and tls as for ql_connect(). NULL after a
 * message.
 */
struct ql_probe *ql_probe_start(const struct ql_probe_options *options, struct ql_engine *engine,
				const struct ql_path *path, struct ql_tls_ctx *tls, const char *sni,
				const struct ql_transport *transport, uint64_t now);

/* Send what is due. True when there is nothing more to wait for. */
bool ql_probe_turn(struct ql_probe *probe, uint64_t now);

/* Close the connection; true when it is closed. To be called until then. */
bool ql_probe_close(struct ql_probe *probe);

/* NULL, or why it ended before it should have; a text that lives as long as the probe. */
const char *ql_probe_failure(const struct ql_probe *probe);

/* Once it is closed. */
struct ql_probe_result ql_probe_result(struct ql_probe *probe);

/* After the engine was freed. */
void ql_probe_free(struct ql_probe *probe);

#endif /* QL_APP_PROBE_H */
