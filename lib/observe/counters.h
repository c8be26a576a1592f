// SPDX-License-Identifier: BSD-3-Clause
/*
 * All counters of an engine and its lane under their names, for whatever prints or exports them.
 */
#ifndef QL_OBSERVE_COUNTERS_H
#define QL_OBSERVE_COUNTERS_H

#include <qlane/observe.h>

/* group: "engine", "engine_drops", "lane" or "lane_drops". The strings are constants. */
typedef void (*ql_counter_fn)(void *arg, const char *group, const char *name, uint64_t value);

/* Call fn with every counter, one group after the other. Counts are taken at the start. */
void ql_counters_walk(const struct ql_observed *what, ql_counter_fn fn, void *arg);

/* Letters, digits, '_' and '-', 1 to QL_OBSERVED_NAME - 1 of them. */
#define QL_OBSERVED_NAME 32
bool ql_observed_name_ok(const char *name);

#endif /* QL_OBSERVE_COUNTERS_H */
