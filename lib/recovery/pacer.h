// SPDX-License-Identifier: BSD-3-Clause
/*
 * Pacing of one path: RFC 9002, 7.7. A token bucket that holds 9 datagrams: who sends full
 * datagrams as soon as it may sends, in any time t, at least rate * t + 8 and less than
 * rate * t + 10 of them (in bytes).
 *
 * A turn of the lcore loop may come late; slack is the time whose tokens the bucket holds beyond
 * that, so that high rates, at which 9 datagrams are a few microseconds, do not starve.
 *
 * Integers only: bytes in units of 2^-40, exact from some bytes a second to beyond 100 Gbit/s.
 * Times in ns, sizes in bytes of UDP payload.
 */
#ifndef QL_RECOVERY_PACER_H
#define QL_RECOVERY_PACER_H

#include <stdbool.h>
#include <stdint.h>

#define QL_PACER_BURST 9		   /* datagrams */
#define QL_PACER_MAX   (UINT64_C(1) << 22) /* bytes the bucket holds at most */
#define QL_PACER_SHIFT 40

struct ql_pacer {
	int64_t tokens; /* bytes << 40; negative after what had to go out all the same */
	int64_t full;
	uint64_t rate; /* (bytes << 40) a ns, never 0 */
	uint64_t last; /* when tokens was right */
	uint64_t slack;
	uint32_t mtu;
};

/* Full bucket at now. Set a rate before use. */
void ql_pacer_init(struct ql_pacer *p, uint32_t mtu, uint64_t slack, uint64_t now);

void ql_pacer_set_mtu(struct ql_pacer *p, uint32_t mtu);

/* From now on num/den * bytes in per ns (say 5/4 of cwnd in a smoothed RTT). den, per > 0. */
void ql_pacer_set_rate(struct ql_pacer *p, uint64_t now, uint64_t bytes, uint64_t per, uint32_t num,
		       uint32_t den);

/* Bytes that may go out now. */
uint64_t ql_pacer_allow(struct ql_pacer *p, uint64_t now);

/* They did, or others that pacing does not hold back. */
static inline void ql_pacer_sent(struct ql_pacer *p, uint32_t bytes)
{
	int64_t t = p->tokens - (int64_t)((uint64_t)bytes << QL_PACER_SHIFT);

	p->tokens = t < -p->full ? -p->full : t;
}

/* When bytes may go out: now, or later. bytes is at most QL_PACER_BURST datagrams. */
uint64_t ql_pacer_next(const struct ql_pacer *p, uint64_t now, uint32_t bytes);

#endif /* QL_RECOVERY_PACER_H */
