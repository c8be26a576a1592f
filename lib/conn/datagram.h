// SPDX-License-Identifier: BSD-3-Clause
/*
 * Unreliable datagrams of one connection (RFC 9221): the queue of those that wait to be sent.
 *
 * Data is copied into blocks of the ql_mem. A datagram leaves the queue when it has been written
 * into a packet, when it has expired, or when it has become too large for any packet; it is never
 * sent again. Sizes are bytes, times ns.
 */
#ifndef QL_CONN_DATAGRAM_H
#define QL_CONN_DATAGRAM_H

#include <stdbool.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "recovery/sent.h"
#include "wire/frame.h"

struct ql_datagram_item;

struct ql_datagrams {
	uint32_t count;	   /* in the queue */
	bool streams_next; /* the last packet began with datagrams: it is the streams' turn */
	uint64_t received;
	STAILQ_HEAD(ql_datagram_list, ql_datagram_item) queue;
	uint64_t bytes; /* of data in the queue */
	uint64_t most_bytes;
	uint32_t most_count;
	uint64_t rx_max; /* the largest frame that we take; 0: none */
	uint64_t tx_max; /* that the peer takes; 0: none, or not known yet */
	uint64_t sent;
	uint64_t dropped; /* expired, or too large by now */
};

void ql_datagrams_init(struct ql_datagrams *d, uint64_t rx_max, uint64_t most_bytes,
		       uint32_t most_count);

/* Forget all that wait. */
void ql_datagrams_fini(struct ql_datagrams *d, struct ql_mem *mem);

/* The most data that the peer takes and that fits with its header in room bytes; 0 for none. */
size_t ql_datagrams_fit(const struct ql_datagrams *d, size_t room);

/*
 * Queue a copy. room: what an otherwise empty packet has for frames. When the queue is full, those
 * that have expired leave it first.
 * 0; -EOPNOTSUPP when the peer takes none; -EMSGSIZE; -EAGAIN when the queue is full; -ENOMEM.
 */
int ql_datagrams_add(struct ql_datagrams *d, struct ql_mem *mem, const void *data, size_t len,
		     uint64_t expiry, uint64_t id, uint64_t now, size_t room);

/*
 * Write as many as fit at p, in order; each is noted in sent with its id. One larger than room, see
 * above, will never fit, and is dropped. The new p.
 */
uint8_t *ql_datagrams_put(struct ql_datagrams *d, struct ql_mem *mem, uint8_t *p,
			  const uint8_t *end, struct ql_sent *sent, uint64_t now, size_t room);

/* Whether we have said that we take a frame of this type with so much data (RFC 9221, 3). */
static inline bool ql_datagrams_allowed(const struct ql_datagrams *d, uint64_t wire_type,
					size_t len)
{
	return ql_frame_datagram_hdr_size(len, wire_type & QL_FRAME_DGRAM_LEN) + len <= d->rx_max;
}

#endif
