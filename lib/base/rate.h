// SPDX-License-Identifier: BSD-3-Clause
/* A limit on how often something is done: one each interval, and up to burst at once. */
#ifndef QL_BASE_RATE_H
#define QL_BASE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct ql_rate {
	uint64_t interval; /* ns */
	uint64_t burst;	   /* how many at once */
	uint64_t next;	   /* time at which the allowance is full again */
};

static inline bool ql_rate_allow(struct ql_rate *r, uint64_t now)
{
	uint64_t next = r->next > now ? r->next : now;

	if (next - now > (r->burst - 1) * r->interval)
		return false;
	r->next = next + r->interval;
	return true;
}

#endif /* QL_BASE_RATE_H */
