// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which tickets have brought early data lately: the register of RFC 8446, section 8.2. TLS takes
 * early data only from a ClientHello whose time is right within some seconds (8.3), so a
 * ticket has to be remembered for QL_REPLAY_WINDOW and no longer.
 *
 * A fixed amount of memory, whatever comes: two Bloom filters, of this window and of the one
 * before. What it forgets is too old to be taken anyway; where it errs, early data is refused that
 * might have been taken, which costs a client one round trip: once in fifty when
 * QL_REPLAY_BITS / 10 of them come in a window, more often from there on.
 *
 * Each engine has one. Of engines that share tickets each may take a ClientHello once, if it is
 * sent to all of them; so may an engine that starts anew, but for that it refuses early data for a
 * window with tickets that are older than it.
 */
#ifndef QL_CRYPTO_REPLAY_H
#define QL_CRYPTO_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include <qlane/common.h>

#define QL_REPLAY_WINDOW (15 * QL_NSEC_PER_SEC)
#define QL_REPLAY_BITS	 (UINT32_C(1) << 20) /* of each filter */
#define QL_REPLAY_ID	 12		     /* bytes that name a ticket: random, and authentic */

/* All zero at first. */
struct ql_replay {
	bool begun;
	uint64_t began;	 /* ns */
	uint64_t window; /* the number of the one that filter[window & 1] is of */
	uint64_t filter[2][QL_REPLAY_BITS / 64];
};

/* Tickets are given out, or taken, from this time on at the latest. Does nothing the second time.
 */
void ql_replay_begin(struct ql_replay *r, uint64_t now);

/* Whether the ticket, of this time, may bring early data; it is not yet noted. now never decreases.
 */
bool ql_replay_fresh(struct ql_replay *r, uint64_t now, uint64_t issued,
		     const uint8_t id[QL_REPLAY_ID]);

/* It does. */
void ql_replay_note(struct ql_replay *r, uint64_t now, const uint8_t id[QL_REPLAY_ID]);

#endif
