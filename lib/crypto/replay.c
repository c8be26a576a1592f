// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/replay.h"

#include <string.h>

#define HASHES 4 /* three bytes of the id each; they are random, and need no hashing */

_Static_assert(3 * HASHES <= QL_REPLAY_ID && QL_REPLAY_BITS <= 1u << 24, "bits of the id");

static uint32_t bit_of(const uint8_t id[QL_REPLAY_ID], unsigned int i)
{
	const uint8_t *p = id + 3 * i;

	return ((uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2]) & (QL_REPLAY_BITS - 1);
}

/* Clear the filters whose time is over. */
static void advance(struct ql_replay *r, uint64_t now)
{
	uint64_t window = now / QL_REPLAY_WINDOW;

	if (window <= r->window)
		return;
	if (window > r->window + 1)
		memset(r->filter, 0, sizeof(r->filter));
	else
		memset(r->filter[window & 1], 0, sizeof(r->filter[0]));
	r->window = window;
}

static bool noted(const struct ql_replay *r, unsigned int filter, const uint8_t id[QL_REPLAY_ID])
{
	for (unsigned int i = 0; i < HASHES; i++) {
		uint32_t bit = bit_of(id, i);

		if (!(r->filter[filter][bit / 64] >> (bit % 64) & 1))
			return false;
	}
	return true;
}

void ql_replay_begin(struct ql_replay *r, uint64_t now)
{
	if (!r->begun) {
		r->begun = true;
		r->began = now;
	}
}

bool ql_replay_fresh(struct ql_replay *r, uint64_t now, uint64_t issued,
		     const uint8_t id[QL_REPLAY_ID])
{
	ql_replay_begin(r, now);
	if (issued < r->began && now < r->began + QL_REPLAY_WINDOW)
		return false;
	advance(r, now);
	return !noted(r, 0, id) && !noted(r, 1, id);
}

void ql_replay_note(struct ql_replay *r, uint64_t now, const uint8_t id[QL_REPLAY_ID])
{
	advance(r, now);
	for (unsigned int i = 0; i < HASHES; i++) {
		uint32_t bit = bit_of(id, i);

		r->filter[r->window & 1][bit / 64] |= UINT64_C(1) << (bit % 64);
	}
}
