// SPDX-License-Identifier: BSD-3-Clause
#include "base/floors.h"

#define MARK_TRIES 1000
#define MARKS	   1000 /* of a try */

_Thread_local struct ql_floors_clock ql_floors_clock;

void ql_floors_use(struct ql_floors *account)
{
	ql_floors_go(QL_FLOOR_OTHER);
	ql_floors_clock.account = account;
	ql_floors_clock.since = rte_rdtsc();
}

double ql_floors_mark(void)
{
	struct ql_floors account = {.longest = UINT64_MAX};
	uint64_t best = UINT64_MAX;

	ql_floors_use(&account);
	for (unsigned int try = 0; try < MARK_TRIES; try++) {
		uint64_t start = rte_rdtsc();

		for (unsigned int i = 0; i < MARKS; i++)
			ql_floors_go(QL_FLOOR_OTHER);
		start = rte_rdtsc() - start;
		best = start < best ? start : best;
	}
	ql_floors_use(NULL);
	return (double)best / MARKS;
}

const char *ql_floor_name(enum ql_floor floor)
{
	static const char *const names[QL_FLOORS] = {
		[QL_FLOOR_OTHER] = "other",	  [QL_FLOOR_RECEIVE] = "receive",
		[QL_FLOOR_STEER] = "steer",	  [QL_FLOOR_OPEN] = "open",
		[QL_FLOOR_FRAMES] = "frames",	  [QL_FLOOR_APPLICATION] = "application",
		[QL_FLOOR_ASSEMBLE] = "assemble", [QL_FLOOR_SEAL] = "seal",
		[QL_FLOOR_TRANSMIT] = "transmit",
	};

	return names[floor];
}
