// SPDX-License-Identifier: BSD-3-Clause
/*
 * The engine as its own sources see it:
 *
 *	engine.c	life, listening, connecting, figures
 *	rx.c		a burst of datagrams to their connections
 *	steer.c		which engine of several a datagram is for
 *	mesh.c		the way to it
 *	tx.c		connections that are ready to a burst of datagrams; timers; the end of
 *			connections
 *	reply.c		answers that belong to no connection
 *	resets.c	which connection a stateless reset is for
 *	held.c		0-RTT packets that are ahead of their keys
 *	wheel.c		timers
 *	conntable.c	which connection a packet is for
 */
#ifndef QL_ENGINE_IMPL_H
#define QL_ENGINE_IMPL_H

#include <pthread.h>

#include <qlane/engine.h>

#include "base/mem.h"
#include "base/rate.h"
#include "conn/conn.h"
#include "engine/conntable.h"
#include "engine/held.h"
#include "engine/mesh.h"
#include "engine/resets.h"
#include "engine/wheel.h"
#include "ql_build.h"

#define QL_RX_BURST 32	/* packets opened together */
#define QL_TX_BURST 64	/* datagrams sealed together */
#define QL_TX_SHARE 8	/* of these for one connection's turn while others wait */
#define QL_REPLIES  32	/* stateless answers that may wait */
#define QL_CROSSED  128 /* datagrams of others taken in one turn */

/* Stateless resets, and refusals of Initials, each: so many at once, and one an interval. */
#define QL_REPLY_BURST	  64
#define QL_REPLY_INTERVAL QL_NSEC_PER_MSEC

/* Bytes of a packet that a stateless reset may answer: it hides among packets of its size (10.3) */
#define QL_RESET_TRIGGER 43

/* A connection, and what the engine keeps with it. */
struct ql_engine_conn {
	struct ql_conn conn; /* first: a pointer to one is a pointer to the other */
	struct ql_reset_entry reset;
	bool in_table; /* initial is in the table */
	struct ql_initial_key initial;
};

/* The next larger blocks of a ql_mem are of 6,144 bytes. */
_Static_assert(sizeof(struct ql_engine_conn) <= 4096, "a connection has grown");

/* What taking early data needs. */
struct ql_engine_early {
	struct ql_replay replay;
	struct ql_held held;
};

struct ql_engine {
	struct ql_conn_host host;
	struct ql_engine_stats stats;
	struct ql_conntable table;
	struct ql_resets resets;
	struct ql_wheel wheel;
	struct ql_timer *timers; /* of connections, by their slots */
	struct ql_mem mem;
	struct ql_rng rng;
	struct ql_limits limits;
	bool listening;
	uint16_t listen_port;
	struct ql_endpoint listener;
	struct ql_datagram replies[QL_REPLIES];
	unsigned int n_replies;
	struct ql_rate reset_rate, refusal_rate;
	enum ql_retry retry;
	uint32_t retry_handshakes;
	struct ql_seal_job seal_jobs[QL_TX_BURST * QL_SPACES];
	void *region;	    /* behind mem */
	size_t region_size; /* bytes */
	bool region_mapped; /* by mmap, else from DPDK's heap */
	struct ql_tokens tokens;
	struct ql_tickets tickets;
	struct ql_mesh *mesh;	       /* NULL: it is alone */
	struct ql_engine_early *early; /* NULL: the listener takes no early data */
	char name[32];
	int socket_id;
	pthread_t owner;
	bool owned;
};

/* Debug builds: trap a call from another thread than the first one. */
#if QL_THREAD_CHECK
void ql_engine_check_thread(struct ql_engine *e);
#else
static inline void ql_engine_check_thread(struct ql_engine *e __attribute__((unused)))
{
}
#endif

static inline struct ql_engine_conn *ql_engine_conn_of(struct ql_conn *conn)
{
	return (struct ql_engine_conn *)conn;
}

/* What the next packets of a connection need. */
static inline void ql_engine_conn_prefetch(const struct ql_engine_conn *ec)
{
	ql_conn_prefetch(&ec->conn);
	ql_prefetch_lines(&ec->reset, &ec->initial);
}

/* engine.c: memory and slot for a connection; NULL when limits or memory are used up. */
struct ql_engine_conn *ql_engine_conn_new(struct ql_engine *e, uint32_t *slot);
/* Give those back. The connection itself is finished, or was never begun. */
void ql_engine_conn_free(struct ql_engine *e, struct ql_engine_conn *ec, uint32_t slot);

/*
 * steer.c: of at most QL_RX_BURST datagrams that came from a port, those that are this engine's move
 * to the front, in their order; the others leave for their owners. Returns how many stay.
 */
unsigned int ql_steer(struct ql_engine *e, struct ql_datagram *in, unsigned int n);
/* The same for what came from others: the others are dropped, so that nothing crosses twice. */
unsigned int ql_steer_in(struct ql_engine *e, struct ql_datagram *in, unsigned int n);
/*
 * Whether an ID of our process, or of an earlier one, names this engine, or one that is not there
 * and whose heir it is.
 */
bool ql_steer_is_mine(const struct ql_engine *e, const uint8_t *id);

/* tx.c: finish and free a connection. */
void ql_engine_reap(struct ql_engine *e, struct ql_engine_conn *ec);

/* reply.c: answer an unknown version (6.1), if there is room for another answer this turn. */
void ql_reply_version_negotiation(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
				  const struct ql_datagram *dgram);
/* Ask a client for its Initial again, with a token that it gets only at its address (8.1.2). */
void ql_reply_retry(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
		    const struct ql_datagram *dgram);
/* Close for a client's Initial, as often as refusals may be: with INVALID_TOKEN what is in answer
 * to a Retry (8.1.2), with CONNECTION_REFUSED what there is no place for (5.2.2). */
void ql_reply_refusal(struct ql_engine *e, const struct ql_pkt_hdr *hdr,
		      const struct ql_datagram *dgram, uint64_t error);
/* Answer a short-header packet to an ID of this engine's, of id_len bytes, with a stateless reset. */
void ql_reply_reset(struct ql_engine *e, const uint8_t *pkt, size_t len,
		    const struct ql_datagram *dgram, size_t id_len);

#endif
