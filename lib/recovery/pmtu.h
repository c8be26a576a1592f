// SPDX-License-Identifier: BSD-3-Clause
/*
 * The largest datagram that a path takes: DPLPMTUD (RFC 8899; RFC 9000, 14.3 and 14.4).
 *
 * A search by probes, packets of PING and PADDING that are larger than what is known to pass, one
 * at a time. It tries the most there is to gain first, then what an Ethernet on the way would take,
 * then halves what is left. A size has failed when QL_PMTU_TRIES probes of it were lost in a row.
 * When the rest is not worth a probe the search is complete, and begins anew after QL_PMTU_RAISE.
 *
 * A black hole: packets vanish that are larger than QL_PMTU_BASE, while smaller ones arrive, or
 * nothing does. Then the size is QL_PMTU_BASE again, and the search begins anew, later each time
 * that this happens. Where even packets of that size vanish, and smaller ones do not, the path is
 * of no use to QUIC (RFC 9000, 14.2).
 *
 * Sizes are bytes of UDP payload, times ns. The struct belongs to one path; loss.h, which owns it,
 * tells it what became of packets. Nothing here fails, and no memory is taken.
 */
#ifndef QL_RECOVERY_PMTU_H
#define QL_RECOVERY_PMTU_H

#include <stdbool.h>
#include <stdint.h>

#include <qlane/common.h>

#define QL_PMTU_BASE	  1200			  /* BASE_PLPMTU and MIN_PLPMTU */
#define QL_PMTU_TRIES	  3			  /* MAX_PROBES */
#define QL_PMTU_RAISE	  (600 * QL_NSEC_PER_SEC) /* PMTU_RAISE_TIMER */
#define QL_PMTU_AGAIN	  (60 * QL_NSEC_PER_SEC) /* after the second black hole, and further ones */
#define QL_PMTU_HOLE_LOST 6 /* large packets lost, none of them acknowledged: a black hole */
#define QL_PMTU_HOLE_PTOS 2 /* probe timeouts in a row: the same */
#define QL_PMTU_DEAD	  (10 * QL_NSEC_PER_SEC) /* so long without one of QL_PMTU_BASE passing */

struct ql_pmtu {
	uint64_t next; /* when a probe may go; QL_NEVER while one is under way, or for none */
	uint64_t
		big_passed; /* when the newest of those acknowledged was sent that count as large */
	uint64_t first_lost; /* the first of `lost` was sent then */
	uint16_t size;	     /* of a full datagram: known to pass, or said to */
	uint16_t max;	     /* that may be tried */
	uint16_t failed;     /* no size from here on passes; above max while that is not known */
	uint16_t probe;	     /* under way, or the next one's size; 0: nothing to find */
	uint8_t tries;	     /* probes of it lost in a row */
	uint8_t lost;	     /* large packets sent after big_passed that were lost */
	uint8_t holes;	     /* black holes so far */
	bool fixed;	     /* the size is what it is: no search, no black holes */
};

/* size is at least QL_PMTU_BASE. A max below size means size. */
void ql_pmtu_init(struct ql_pmtu *p, uint16_t size, uint16_t max, bool fixed, uint64_t now);

/* The peer takes no more than this (at least QL_PMTU_BASE). True when the size has changed. */
bool ql_pmtu_limit(struct ql_pmtu *p, uint64_t most, uint64_t now);

/* The size of a probe that may go now; 0: none. */
static inline uint16_t ql_pmtu_due(const struct ql_pmtu *p, uint64_t now)
{
	return p->next <= now ? p->probe : 0;
}

/* It was sent; or, after that, nobody will tell what became of it. */
void ql_pmtu_sent(struct ql_pmtu *p);
void ql_pmtu_abandon(struct ql_pmtu *p, uint64_t now);

/*
 * A probe of this size was acknowledged, perhaps after it was believed lost: true when packets may
 * have its size now. Or it was lost.
 */
bool ql_pmtu_acked(struct ql_pmtu *p, uint16_t size, uint64_t now);
void ql_pmtu_lost(struct ql_pmtu *p, uint16_t size, uint64_t now);

/* A packet of this size counts as large: whether it passes says something of the path. */
static inline bool ql_pmtu_is_big(const struct ql_pmtu *p, uint16_t bytes)
{
	return bytes > QL_PMTU_BASE || (bytes == QL_PMTU_BASE && p->size == QL_PMTU_BASE);
}

/* A large packet was acknowledged that was sent then. */
static inline void ql_pmtu_big_passed(struct ql_pmtu *p, uint64_t sent)
{
	if (sent > p->big_passed) {
		p->big_passed = sent;
		p->lost = 0;
	}
}

/* One that was sent then was lost, though packets after it were not. */
void ql_pmtu_big_lost(struct ql_pmtu *p, uint64_t sent);

/* A black hole is likely by now: after losses, or after so many probe timeouts in a row. */
static inline bool ql_pmtu_is_hole(const struct ql_pmtu *p, unsigned int ptos)
{
	return p->size > QL_PMTU_BASE && !p->fixed &&
	       (p->lost >= QL_PMTU_HOLE_LOST || ptos >= QL_PMTU_HOLE_PTOS);
}

/* It is taken for one: back to QL_PMTU_BASE. */
void ql_pmtu_on_hole(struct ql_pmtu *p, uint64_t now);

/*
 * Packets of QL_PMTU_BASE, or of the size that is fixed, do not pass, and have not for long, while
 * smaller ones do.
 */
static inline bool ql_pmtu_is_dead(const struct ql_pmtu *p, uint64_t now)
{
	return (p->size == QL_PMTU_BASE || p->fixed) && p->lost >= QL_PMTU_HOLE_LOST &&
	       now - p->first_lost >= QL_PMTU_DEAD;
}

#endif /* QL_RECOVERY_PMTU_H */
