// SPDX-License-Identifier: BSD-3-Clause
/*
 * The neighbours of one port, as one lane knows them: IP address -> MAC, by ARP (RFC 826) and
 * neighbour discovery (RFC 4861), and by looking at the frames of those who talk to us.
 *
 * What others can make us keep is bounded: QL_NEIGH_ENTRIES neighbours in sets that a keyed hash
 * selects, QL_NEIGH_PENDING packets waiting for one of them and QL_NEIGH_PENDING_ALL together.
 * What others can make us believe: a MAC that a frame shows is taken only where none is known;
 * where it differs from what is known, and the same for unsolicited announcements, the neighbour
 * is asked. Only an answer to a question of ours changes a known MAC. Gateways are never evicted,
 * and answered neighbours only to make room for one that we send to.
 *
 * A MAC not confirmed for QL_NEIGH_REACHABLE_NS is asked for again when it is next used, and is
 * used meanwhile; QL_NEIGH_TRIES questions without answer, QL_NEIGH_RETRY_NS apart, and it is gone.
 */
#ifndef QL_NET_NEIGH_H
#define QL_NET_NEIGH_H

#include "base/siphash.h"
#include "net/frame.h"
#include "base/rate.h"
#include "net/news.h"
#include "net/txq.h"

#include <sys/queue.h>

#define QL_NEIGH_WAYS	      8
#define QL_NEIGH_SETS	      128
#define QL_NEIGH_ENTRIES      (QL_NEIGH_WAYS * QL_NEIGH_SETS)
#define QL_NEIGH_PENDING      16
#define QL_NEIGH_PENDING_ALL  256
#define QL_NEIGH_TRIES	      3
#define QL_NEIGH_RETRY_NS     QL_NSEC_PER_SEC
#define QL_NEIGH_REACHABLE_NS (30 * QL_NSEC_PER_SEC)
#define QL_NEIGH_ASK_NS	      (5 * QL_NSEC_PER_MSEC) /* mean distance of our questions ... */
#define QL_NEIGH_ASK_BURST    64		     /* ... and how many at once */

enum ql_neigh_state {
	QL_NEIGH_FREE,
	QL_NEIGH_INCOMPLETE, /* asked; packets wait */
	QL_NEIGH_LEARNED,    /* MAC seen in a frame */
	QL_NEIGH_ANSWERED,   /* MAC from an answer */
	QL_NEIGH_PROBE,	     /* MAC in use while we ask again */
};

struct ql_neigh_entry {
	uint8_t ip[16];
	struct rte_ether_addr mac;
	uint8_t state;
	uint8_t tries; /* questions asked in a row */
	bool answered; /* the MAC is from an answer */
	uint8_t n_pending;
	uint16_t first, last; /* pending packets: indices into ql_neigh.pending */
	uint64_t confirmed;   /* ns */
	uint64_t due;	      /* INCOMPLETE, PROBE: next question, ns */
	TAILQ_ENTRY(ql_neigh_entry) asking;
};

struct ql_neigh_pending {
	struct rte_mbuf *packet; /* a frame, complete but for the destination's MAC */
	uint16_t next;
};

struct ql_neigh {
	const struct ql_netif *nif;
	struct ql_txq *txq;
	struct rte_mempool *pool; /* for questions */
	struct ql_news *news;	  /* who else is told of answers, or NULL */
	uint16_t queue;		  /* of ours, in there */
	struct ql_sipkey key;
	struct ql_rate ask_rate;
	TAILQ_HEAD(, ql_neigh_entry)
	asking;			       /* INCOMPLETE and PROBE; equal waits: the oldest first */
	struct ql_neigh_entry *recent; /* the last one looked up */
	uint16_t free_pending;
	struct ql_neigh_pending pending[QL_NEIGH_PENDING_ALL];
	struct ql_neigh_entry sets[QL_NEIGH_SETS][QL_NEIGH_WAYS];
};

/* All pointers must outlive the table. key: secret and random. */
void ql_neigh_init(struct ql_neigh *t, const struct ql_netif *nif, struct ql_txq *txq,
		   struct rte_mempool *pool, const struct ql_sipkey *key);
/* Free the packets that wait. */
void ql_neigh_clear(struct ql_neigh *t);

/*
 * Send a frame that is complete but for the destination's MAC, of ql_frame_push_udp(), to a next hop (of
 * ql_netif_next_hop()): at once where the MAC is known, else when it answers. Takes the frame.
 */
void ql_neigh_send(struct ql_neigh *t, const uint8_t hop[16], struct rte_mbuf *packet,
		   uint64_t now);

/* A packet came from this IP address in a frame of this MAC. */
void ql_neigh_learn(struct ql_neigh *t, const uint8_t ip[16], const struct rte_ether_addr *mac,
		    uint64_t now);

/*
 * The neighbour says that this is its MAC. It is believed when we asked; otherwise, where it
 * differs from what we know, we ask. override: false when the neighbour says that this is not to
 * replace another MAC (RFC 4861, 7.2.5).
 */
void ql_neigh_answer(struct ql_neigh *t, const uint8_t ip[16], const struct rte_ether_addr *mac,
		     bool override, uint64_t now);

/* When ql_neigh_tick() has something to do; QL_NEVER if nothing. */
uint64_t ql_neigh_deadline(const struct ql_neigh *t);
void ql_neigh_tick(struct ql_neigh *t, uint64_t now);

/* NULL when unknown. For tests and reports. */
const struct ql_neigh_entry *ql_neigh_find(const struct ql_neigh *t, const uint8_t ip[16]);

#endif /* QL_NET_NEIGH_H */
