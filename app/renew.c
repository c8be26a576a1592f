// SPDX-License-Identifier: BSD-3-Clause
#include "renew.h"

#include <errno.h>
#include <string.h>

static bool all_have(const struct ql_renewal *r, const struct ql_stack *stack)
{
	return __atomic_load_n(&r->taken, __ATOMIC_ACQUIRE) == r->given * stack->n_lanes;
}

bool ql_renewal_busy(const struct ql_renewal *r, const struct ql_stack *stack)
{
	return r->step != QL_RENEW_NOTHING || !all_have(r, stack);
}

static void give(struct ql_renewal *r, enum ql_renewal_step step)
{
	r->step = step;
	__atomic_store_n(&r->given, r->given + 1, __ATOMIC_RELEASE);
}

void ql_renewal_begin(struct ql_renewal *r, const struct ql_engine_keys *keys,
		      const struct ql_cids *cids)
{
	r->keys = *keys;
	r->cids = *cids;
	r->refused = false;
	give(r, QL_RENEW_KEYS);
}

static void say_done(const struct ql_renewal *r)
{
	if (r->cids.n > 0)
		printf("%s: new connection IDs are of configuration %u\n", ql_program,
		       r->cids.at[0].rotation);
	else
		printf("%s: new connection IDs are without a configuration\n", ql_program);
	fflush(stdout);
}

static void go_on(struct ql_renewal *r, const struct ql_stack *stack)
{
	if (r->step == QL_RENEW_NOTHING || !all_have(r, stack))
		return;
	if (!r->refused && r->step != QL_RENEW_USE && r->cids.n + r->n_cids > 0) {
		give(r, r->step + 1);
		return;
	}
	if (!r->refused && r->step == QL_RENEW_USE) {
		r->n_cids = r->cids.n;
		say_done(r);
	}
	explicit_bzero(&r->keys, sizeof(r->keys));
	r->step = QL_RENEW_NOTHING;
}

static void take_keys(const struct ql_renewal *r, const struct ql_stack_lane *l)
{
	int rc = ql_engine_set_keys(l->engine, &r->keys);

	if (rc < 0)
		ql_complain("%s goes on with the keys it has: %s%s", l->name, strerror(-rc),
			    rc == -EBUSY ? "; connections still have those before" : "");
}

static void take_cids(struct ql_renewal *r, const struct ql_stack_lane *l)
{
	static const enum ql_cids_step steps[] = {[QL_RENEW_CHECK] = QL_CIDS_CHECK,
						  [QL_RENEW_KNOW] = QL_CIDS_KNOW,
						  [QL_RENEW_USE] = QL_CIDS_USE};
	int rc = ql_engine_set_cids(l->engine, r->cids.at, r->cids.n, steps[r->step]);

	if (rc == 0)
		return;
	__atomic_store_n(&r->refused, true, __ATOMIC_RELAXED);
	ql_complain("%s: connection IDs stay as they are: %s", l->name,
		    rc == -EBUSY
			    ? "a rotation is given to another configuration while connections "
			      "have IDs of the one before; choose another rotation for the new one"
			    : strerror(-rc));
}

void ql_renewal_turn(struct ql_renewal *r, const struct ql_stack *stack, unsigned int lane,
		     unsigned int *seen)
{
	const struct ql_stack_lane *l = &stack->lanes[lane];

	if (lane == 0)
		go_on(r, stack);
	if (*seen == __atomic_load_n(&r->given, __ATOMIC_ACQUIRE))
		return;
	++*seen;
	if (r->step == QL_RENEW_KEYS)
		take_keys(r, l);
	else
		take_cids(r, l);
	__atomic_add_fetch(&r->taken, 1, __ATOMIC_ACQ_REL);
}
