// SPDX-License-Identifier: BSD-3-Clause
/*
 * What changes while a server runs: secrets, and load balancers' configurations of connection IDs.
 * The first lane hands it out; each takes it at its own turn. Configurations take three steps
 * (ql_engine_set_cids()), and one begins when all lanes have taken the one before.
 */
#ifndef QL_APP_RENEW_H
#define QL_APP_RENEW_H

#include "keys.h"
#include "stack.h"

enum ql_renewal_step {
	QL_RENEW_NOTHING,
	QL_RENEW_KEYS,
	QL_RENEW_CHECK,
	QL_RENEW_KNOW,
	QL_RENEW_USE,
};

/* All zero at first but for n_cids. What is not counters is written by the first lane when all have taken the last. */
struct ql_renewal {
	enum ql_renewal_step step;
	struct ql_engine_keys keys;
	struct ql_cids cids;
	unsigned int n_cids;	   /* that the engines use; as at the start */
	unsigned int given, taken; /* steps; steps and lanes */
	bool refused;
};

/* The first lane: whether something is under way; else it may begin with these. */
bool ql_renewal_busy(const struct ql_renewal *r, const struct ql_stack *stack);
void ql_renewal_begin(struct ql_renewal *r, const struct ql_engine_keys *keys,
		      const struct ql_cids *cids);

/* Every lane, now and then; *seen is its own, 0 at first. What an engine refuses is told. */
void ql_renewal_turn(struct ql_renewal *r, const struct ql_stack *stack, unsigned int lane,
		     unsigned int *seen);

#endif /* QL_APP_RENEW_H */
