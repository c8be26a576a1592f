// SPDX-License-Identifier: BSD-3-Clause
/*
 * 0-RTT packets that have overtaken the Initial packet, or the rest of the ClientHello, that brings
 * their keys: a few are held for a moment (RFC 9001, section 5.7).
 *
 * A held packet keeps its mbuf. QL_HELD_MAX of an engine, QL_HELD_EACH of one connection to be; for
 * QL_HELD_LIFE, which is looked at when another one comes, and when the engine is freed. Others are
 * dropped, and count as QL_DROP_EARLY, as do those that were held in vain.
 */
#ifndef QL_ENGINE_HELD_H
#define QL_ENGINE_HELD_H

#include <qlane/common.h>

#include "engine/conntable.h"

#define QL_HELD_MAX  64
#define QL_HELD_EACH 8
#define QL_HELD_LIFE (500 * QL_NSEC_PER_MSEC)

struct ql_held_packet {
	struct ql_datagram dgram;
	struct ql_initial_key key;
	uint64_t until;
	uint16_t offset, len; /* of the packet in the mbuf */
	uint16_t uncounted;   /* bytes of its datagram, if the connection has not counted them */
};

/* All zero at first. */
struct ql_held {
	unsigned int n;
	struct ql_held_packet at[QL_HELD_MAX];
};

/* Keep packet, with a reference to its mbuf. False if there is no place; *dropped counts others. */
bool ql_held_add(struct ql_held *h, const struct ql_held_packet *packet, uint64_t now,
		 uint64_t *dropped);

/*
 * The next packet with this key, which is the caller's then, mbuf and all; in the order they came.
 * False when there is none.
 */
bool ql_held_take(struct ql_held *h, const struct ql_initial_key *key,
		  struct ql_held_packet *packet);

void ql_held_free(struct ql_held *h);

#endif
