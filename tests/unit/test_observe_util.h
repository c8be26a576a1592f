// SPDX-License-Identifier: BSD-3-Clause
/* An engine and a lane whose counters are all different: 1001, 1002, ... and 2001, 2002, ... */
#ifndef TEST_OBSERVE_UTIL_H
#define TEST_OBSERVE_UTIL_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "observe/counters.h"

#define T_UNUSED __attribute__((unused))

static struct ql_engine_stats t_engine_stats;
static struct ql_lane_stats t_lane_stats;
static const struct ql_observed t_observed = {
	.name = "lane-0_a", .engine = (struct ql_engine *)0x1000, .lane = (struct ql_lane *)0x2000};

void ql_engine_stats(const struct ql_engine *engine, struct ql_engine_stats *stats)
{
	ck_assert_ptr_eq(engine, t_observed.engine);
	*stats = t_engine_stats;
}

void ql_lane_stats(const struct ql_lane *lane, struct ql_lane_stats *stats)
{
	ck_assert_ptr_eq(lane, t_observed.lane);
	*stats = t_lane_stats;
}

const char *ql_drop_name(enum ql_drop reason)
{
	static char names[QL_DROP_MAX][16];

	snprintf(names[reason], sizeof(names[reason]), "why%d", reason);
	return names[reason];
}

T_UNUSED static void t_fill(void)
{
	t_engine_stats =
		(struct ql_engine_stats){1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010,
					 1011, 1012, 1013, 1014, 1015, 1016, 1017, 1018, 1019, 1020,
					 1021, 1022, 1023, 1024, 1025, 1026, 1027, 1028, 1029};
	for (unsigned int i = 0; i < QL_DROP_MAX; i++)
		t_engine_stats.drops[i] = 1100 + i;
	t_lane_stats = (struct ql_lane_stats){2001, 2002, 2003, 2004, 2005, 2006};
	for (unsigned int i = 0; i < QL_NET_DROP_MAX; i++)
		t_lane_stats.drops[i] = 2100 + i;
}

#endif /* TEST_OBSERVE_UTIL_H */
