// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/ecn.h"

#include <string.h>

void ql_ecn_init(struct ql_ecn_path *e, bool wanted)
{
	memset(e, 0, sizeof(*e));
	e->state = wanted ? QL_ECN_TESTING : QL_ECN_FAILED;
}

static inline void count(uint8_t *n, uint64_t more)
{
	*n = (uint8_t)(*n + more < UINT8_MAX ? *n + more : UINT8_MAX);
}

/* All marked packets of a test were lost, or came with Congestion Experienced (A.4). */
static void check_fate(struct ql_ecn_path *e)
{
	if (e->state == QL_ECN_UNKNOWN && !e->seen && e->lost + e->acked >= e->sent)
		e->state = QL_ECN_FAILED;
}

void ql_ecn_end_test(struct ql_ecn_path *e)
{
	e->state = QL_ECN_UNKNOWN;
	check_fate(e);
}

void ql_ecn_on_test_sent(struct ql_ecn_path *e, uint64_t now, uint64_t pto)
{
	if (e->sent++ == 0)
		e->until = now + QL_ECN_TEST_PTOS * pto;
	if (e->sent == QL_ECN_TEST_PACKETS)
		ql_ecn_end_test(e);
}

void ql_ecn_on_lost(struct ql_ecn_path *e, uint64_t sent)
{
	if (sent < e->since)
		return;
	count(&e->lost, 1);
	check_fate(e);
}

/* More packets than before, and not more than were marked; none that we did not mark. */
static bool plausible(const struct ql_ecn_space *sp, const struct ql_ecn_counts *now)
{
	const struct ql_ecn_counts *old = &sp->counts;

	return now->ect0 >= old->ect0 && now->ce >= old->ce && now->ect1 == old->ect1 &&
	       now->ect0 - old->ect0 + (now->ce - old->ce) <= sp->outstanding;
}

/* The counts are what the next ones are held against, whatever they are worth. */
static void take(struct ql_ecn_space *sp, const struct ql_ecn_counts *now)
{
	uint64_t before = sp->counts.ect0 + sp->counts.ce, sum = now->ect0 + now->ce;
	uint64_t more = sum > before ? sum - before : 0;

	sp->outstanding -= more < sp->outstanding ? more : sp->outstanding;
	sp->counts = *now;
}

/* Something comes through, but is it the marks that do not? */
static void check_silence(struct ql_ecn_path *e, uint32_t newly, uint64_t now)
{
	if (newly > 0) {
		e->lost = 0;
	} else if (e->lost >= QL_ECN_TEST_PACKETS) {
		ql_ecn_init(e, true);
		e->since = now;
	}
}

uint64_t ql_ecn_on_ack(struct ql_ecn_path *e, struct ql_ecn_space *sp,
		       const struct ql_frame_ack *ack, uint32_t newly, bool elsewhere, uint64_t now)
{
	const struct ql_ecn_counts *old = &sp->counts, *new = &ack->ecn;
	uint64_t ect0 = new->ect0 - old->ect0, ce = new->ce - old->ce;

	if (!ack->has_ecn) {
		if (newly > 0 && !elsewhere)
			e->state = QL_ECN_FAILED;
		return 0;
	}
	if (e->state == QL_ECN_FAILED || elsewhere) {
		take(sp, new);
		return 0;
	}
	if (!plausible(sp, new) || ect0 + ce < newly)
		e->state = QL_ECN_FAILED;
	take(sp, new);
	if (e->state == QL_ECN_FAILED)
		return 0;
	e->seen |= ect0 > 0;
	if (e->state == QL_ECN_CAPABLE) {
		check_silence(e, newly, now);
		return ce;
	}
	count(&e->acked, newly);
	if (e->state == QL_ECN_UNKNOWN && e->seen) {
		e->state = QL_ECN_CAPABLE;
		e->lost = 0;
	}
	check_fate(e);
	return e->state == QL_ECN_FAILED ? 0 : ce;
}
