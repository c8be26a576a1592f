// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/pmtu.h"

/* What an Ethernet takes, behind the headers of IPv4 and of IPv6. */
static const uint16_t likely[] = {1472, 1452};

/* What to try next; 0 when the gain is not worth the probes: below 16 bytes, or 1.6 %. */
static uint16_t pick(const struct ql_pmtu *p)
{
	uint16_t least = p->size / 64 > 16 ? p->size / 64 : 16;

	if (p->failed > p->max)
		return p->size < p->max ? p->max : 0;
	for (unsigned int i = 0; i < sizeof(likely) / sizeof(likely[0]); i++) {
		if (p->size < likely[i] && likely[i] < p->failed)
			return likely[i];
	}
	return p->failed - p->size > least ? p->size + (p->failed - p->size) / 2 : 0;
}

/* To the next size, or a pause. */
static void go_on(struct ql_pmtu *p, uint64_t now)
{
	p->tries = 0;
	p->probe = pick(p);
	p->next = now;
	if (p->probe == 0) { /* complete: it begins again at the top */
		p->failed = p->max + 1;
		p->probe = pick(p);
		p->next = p->probe ? now + QL_PMTU_RAISE : QL_NEVER;
	}
}

/* The whole search, from `when` on. */
static void search(struct ql_pmtu *p, uint64_t when)
{
	p->failed = p->max + 1;
	go_on(p, when);
	if (p->fixed)
		p->next = QL_NEVER;
}

void ql_pmtu_init(struct ql_pmtu *p, uint16_t size, uint16_t max, bool fixed, uint64_t now)
{
	*p = (struct ql_pmtu){.size = size, .max = max > size ? max : size, .fixed = fixed};
	search(p, now);
}

bool ql_pmtu_limit(struct ql_pmtu *p, uint64_t most, uint64_t now)
{
	bool less = most < p->size;

	if (most >= p->max)
		return false;
	p->max = (uint16_t)most;
	if (less)
		p->size = (uint16_t)most;
	search(p, now);
	return less;
}

void ql_pmtu_sent(struct ql_pmtu *p)
{
	p->next = QL_NEVER;
}

void ql_pmtu_abandon(struct ql_pmtu *p, uint64_t now)
{
	if (p->next == QL_NEVER && p->probe > 0 && !p->fixed)
		p->next = now;
}

bool ql_pmtu_acked(struct ql_pmtu *p, uint16_t size, uint64_t now)
{
	if (size <= p->size || size > p->max)
		return false; /* of an earlier search */
	p->size = size;
	if (p->failed <= size)
		p->failed = p->max + 1;
	go_on(p, now);
	return true;
}

void ql_pmtu_lost(struct ql_pmtu *p, uint16_t size, uint64_t now)
{
	if (size != p->probe || p->next != QL_NEVER)
		return;
	p->next = now;
	if (++p->tries < QL_PMTU_TRIES)
		return;
	p->failed = size;
	go_on(p, now);
}

void ql_pmtu_big_lost(struct ql_pmtu *p, uint64_t sent)
{
	if (sent <= p->big_passed)
		return;
	if (p->lost == 0)
		p->first_lost = sent;
	if (p->lost < UINT8_MAX)
		p->lost++;
}

void ql_pmtu_on_hole(struct ql_pmtu *p, uint64_t now)
{
	uint64_t wait = p->holes * QL_PMTU_AGAIN;

	if (p->holes < UINT8_MAX)
		p->holes++;
	p->size = QL_PMTU_BASE;
	p->lost = 0;
	p->big_passed = now;
	search(p, now + (wait < QL_PMTU_RAISE ? wait : QL_PMTU_RAISE));
}
