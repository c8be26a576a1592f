// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/pacer.h"

/* What the bucket holds at this rate and datagram size. */
static void resize(struct ql_pacer *p)
{
	uint64_t bytes = QL_PACER_BURST * (uint64_t)p->mtu;
	unsigned __int128 late = ((unsigned __int128)p->rate * p->slack) >> QL_PACER_SHIFT;

	bytes = late < QL_PACER_MAX - bytes ? bytes + (uint64_t)late : QL_PACER_MAX;
	p->full = (int64_t)(bytes << QL_PACER_SHIFT);
	if (p->tokens > p->full)
		p->tokens = p->full;
}

static void refill(struct ql_pacer *p, uint64_t now)
{
	unsigned __int128 more;

	if (now <= p->last)
		return;
	more = (unsigned __int128)p->rate * (now - p->last);
	if (more < (uint64_t)(p->full - p->tokens))
		p->tokens += (int64_t)more;
	else
		p->tokens = p->full;
	p->last = now;
}

void ql_pacer_init(struct ql_pacer *p, uint32_t mtu, uint64_t slack, uint64_t now)
{
	*p = (struct ql_pacer){.rate = 1, .last = now, .slack = slack, .mtu = mtu};
	resize(p);
	p->tokens = p->full;
}

void ql_pacer_set_mtu(struct ql_pacer *p, uint32_t mtu)
{
	p->mtu = mtu;
	resize(p);
}

void ql_pacer_set_rate(struct ql_pacer *p, uint64_t now, uint64_t bytes, uint64_t per, uint32_t num,
		       uint32_t den)
{
	uint64_t rate;
	unsigned int shift;

	refill(p, now);
	bytes *= num;
	per *= den;
	/* bytes << QL_PACER_SHIFT may not fit: shift as far as it does, and the rest behind. */
	shift = bytes ? (unsigned int)__builtin_clzll(bytes) : 0;
	if (shift > QL_PACER_SHIFT)
		shift = QL_PACER_SHIFT;
	rate = (bytes << shift) / per;
	shift = QL_PACER_SHIFT - shift;
	if (rate > UINT64_MAX >> shift)
		rate = UINT64_MAX;
	else
		rate <<= shift;
	p->rate = rate ? rate : 1;
	resize(p);
}

uint64_t ql_pacer_allow(struct ql_pacer *p, uint64_t now)
{
	refill(p, now);
	return p->tokens > 0 ? (uint64_t)p->tokens >> QL_PACER_SHIFT : 0;
}

uint64_t ql_pacer_next(const struct ql_pacer *p, uint64_t now, uint32_t bytes)
{
	int64_t want = (int64_t)((uint64_t)bytes << QL_PACER_SHIFT);
	uint64_t wait;

	if (p->tokens >= want)
		return now;
	wait = (uint64_t)(want - p->tokens);
	wait = wait / p->rate + (wait % p->rate != 0);
	if (wait > UINT64_MAX - p->last)
		return UINT64_MAX;
	return p->last + wait > now ? p->last + wait : now;
}
