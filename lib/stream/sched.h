// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which stream sends next: urgency and incremental of RFC 9218 for every stream, whatever the
 * application protocol. All operations are O(1), whatever the number of streams; nothing is
 * allocated. A stream that has nothing to send, or may not, is not in here and costs nothing.
 *
 * The contract. ql_sched_pick() gives:
 *
 * 1. A stream of the most urgent level that has any: QL_SCHED_CONTROL, then urgency 0 to 7. But of
 *    the packets for which levels compete one in `share` belongs to a less urgent level, each of
 *    them in turn, until the packet is full or the level has nothing more. So a level that has
 *    something is served at least once in share * (levels that have something - 1) packets.
 * 2. Within a level first what needs no credit of the connection (data to be sent again, a FIN
 *    without data): first come, first served. Without credit, that is all there is to pick.
 * 3. Then sequential (non-incremental) streams one after another, in the order in which they were
 *    activated, each until it is removed; one that has data to be sent again meanwhile goes on
 *    where it was afterwards, before all that wait. And incremental streams in turn, each for about
 *    QL_SCHED_QUANTUM bytes and at least once. When a level has both, the two classes take turns
 *    in the same way, so that neither starves the other. So an incremental stream waits for at
 *    most two quanta and two packets of each other one in its level.
 *
 * A change of priority takes effect with the next pick: move it.
 */
#ifndef QL_STREAM_SCHED_H
#define QL_STREAM_SCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Levels: 0 goes first. */
#define QL_SCHED_CONTROL    0
#define QL_SCHED_URGENCY(u) (1 + (u))
#define QL_SCHED_LEVELS	    9

/* See ql_sched.share. */
#define QL_SCHED_SHARE 64

/* Bytes that an incremental stream sends before it is the next one's turn. */
#define QL_SCHED_QUANTUM 2048

enum ql_sched_queue {
	QL_SCHED_FREE,	     /* needs no credit of the connection */
	QL_SCHED_SEQUENTIAL, /* new data, non-incremental */
	QL_SCHED_INCREMENTAL,
	QL_SCHED_QUEUES,
	QL_SCHED_OUT = QL_SCHED_QUEUES, /* not in the scheduler */
};

/* Embedded in what is scheduled. */
struct ql_sched_node {
	struct ql_sched_node *next, *prev; /* a ring */
	int32_t left;			   /* of the quantum, bytes */
	uint8_t level;
	uint8_t queue; /* enum ql_sched_queue */
	bool turn;     /* in QL_SCHED_FREE: it is its turn among the sequential ones */
};

struct ql_sched {
	uint16_t turn;		       /* a bit a level: it is the incremental ones' turn */
	uint16_t free;		       /* levels with something in QL_SCHED_FREE */
	uint16_t data;		       /* levels with something in the others */
	uint16_t share;		       /* less urgent levels get one packet in so many; 0: none */
	uint16_t packets;	       /* since they got one */
	uint8_t favoured;	       /* level that the running packet belongs to; 0: the first */
	uint8_t last;		       /* that got a share */
	int32_t left[QL_SCHED_LEVELS]; /* of the quantum of the class whose turn it is */
	struct ql_sched_node *head[QL_SCHED_LEVELS][QL_SCHED_QUEUES];
};

void ql_sched_init(struct ql_sched *s);
/* Before its first use. */
static inline void ql_sched_node_init(struct ql_sched_node *n)
{
	*n = (struct ql_sched_node){.queue = QL_SCHED_OUT};
}

/* Put n, which must be out, behind the others of its queue. */
void ql_sched_add(struct ql_sched *s, struct ql_sched_node *n, unsigned int level,
		  enum ql_sched_queue queue);
/* Take n out. Fine when it is out. */
void ql_sched_remove(struct ql_sched *s, struct ql_sched_node *n);
/* Put n into another queue, or in if it is out; its turn is kept within a level. */
void ql_sched_move(struct ql_sched *s, struct ql_sched_node *n, unsigned int level,
		   enum ql_sched_queue queue);

/* For ql_sched_begin(). */
void ql_sched_next_share(struct ql_sched *s, unsigned int levels);

/* A packet begins, which is filled with what is picked from here on. */
static inline void ql_sched_begin(struct ql_sched *s, bool credit)
{
	unsigned int levels = s->free | (credit ? s->data : 0u);

	s->favoured = 0;
	if (__builtin_expect((levels & (levels - 1)) != 0, 0))
		ql_sched_next_share(s, levels);
}

/* Who sends next, or NULL. credit: the connection may send new data. Changes nothing. */
static inline struct ql_sched_node *ql_sched_pick(const struct ql_sched *s, bool credit)
{
	unsigned int levels = s->free | (credit ? s->data : 0u), level;
	struct ql_sched_node *const *queues;

	if (levels == 0)
		return NULL;
	level = levels >> s->favoured & 1 ? s->favoured : (unsigned int)__builtin_ctz(levels);
	queues = s->head[level];
	if (queues[QL_SCHED_FREE])
		return queues[QL_SCHED_FREE];
	if (!queues[QL_SCHED_SEQUENTIAL])
		return queues[QL_SCHED_INCREMENTAL];
	if (!queues[QL_SCHED_INCREMENTAL])
		return queues[QL_SCHED_SEQUENTIAL];
	return queues[s->turn >> level & 1 ? QL_SCHED_INCREMENTAL : QL_SCHED_SEQUENTIAL];
}

/* Who is picked until it is taken out or another is put in, given credit; NULL when that depends. */
static inline struct ql_sched_node *ql_sched_sole(const struct ql_sched *s)
{
	struct ql_sched_node *const *queues;

	if (s->free != 0 || s->data == 0 || (s->data & (s->data - 1)) != 0)
		return NULL;
	queues = s->head[__builtin_ctz(s->data)];
	if (!queues[QL_SCHED_INCREMENTAL])
		return queues[QL_SCHED_SEQUENTIAL];
	return !queues[QL_SCHED_SEQUENTIAL] &&
			       queues[QL_SCHED_INCREMENTAL]->next == queues[QL_SCHED_INCREMENTAL]
		       ? queues[QL_SCHED_INCREMENTAL]
		       : NULL;
}

/* True when the quantum is used up; it is renewed, less what was taken too much. */
static inline bool ql_sched_spend(int32_t *left, size_t bytes)
{
	*left -= (int32_t)bytes;
	if (*left > 0)
		return false;
	*left += QL_SCHED_QUANTUM;
	if (*left <= 0)
		*left = 1;
	return true;
}

/* n, just picked, has sent this many bytes; to be called while it is still in. */
static inline void ql_sched_charge(struct ql_sched *s, struct ql_sched_node *n, size_t bytes)
{
	struct ql_sched_node **queues = s->head[n->level];

	if (n->queue == QL_SCHED_FREE)
		return;
	if (queues[QL_SCHED_SEQUENTIAL] && queues[QL_SCHED_INCREMENTAL] &&
	    ql_sched_spend(&s->left[n->level], bytes))
		s->turn ^= (uint16_t)(1u << n->level);
	if (n->queue == QL_SCHED_INCREMENTAL && ql_sched_spend(&n->left, bytes))
		queues[QL_SCHED_INCREMENTAL] = n->next;
}

static inline bool ql_sched_in(const struct ql_sched_node *n)
{
	return n->queue != QL_SCHED_OUT;
}

static inline bool ql_sched_any(const struct ql_sched *s, bool credit)
{
	return s->free != 0 || (credit && s->data != 0);
}

#endif
