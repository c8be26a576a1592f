// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/chacha.h"

#include <string.h>

static inline ql_u32x4 rotl(ql_u32x4 v, int n)
{
	return v << n | v >> (32 - n);
}

static inline void quarter_round(ql_u32x4 *a, ql_u32x4 *b, ql_u32x4 *c, ql_u32x4 *d)
{
	*a += *b, *d = rotl(*d ^ *a, 16);
	*c += *d, *b = rotl(*b ^ *c, 12);
	*a += *b, *d = rotl(*d ^ *a, 8);
	*c += *d, *b = rotl(*b ^ *c, 7);
}

void ql_chacha20_x4(ql_u32x4 x[16])
{
	static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	ql_u32x4 v[16];

	for (int i = 0; i < 4; i++)
		x[i] = (ql_u32x4){constants[i], constants[i], constants[i], constants[i]};
	memcpy(v, x, sizeof(v));
	for (int i = 0; i < 10; i++) {
		quarter_round(&v[0], &v[4], &v[8], &v[12]);
		quarter_round(&v[1], &v[5], &v[9], &v[13]);
		quarter_round(&v[2], &v[6], &v[10], &v[14]);
		quarter_round(&v[3], &v[7], &v[11], &v[15]);
		quarter_round(&v[0], &v[5], &v[10], &v[15]);
		quarter_round(&v[1], &v[6], &v[11], &v[12]);
		quarter_round(&v[2], &v[7], &v[8], &v[13]);
		quarter_round(&v[3], &v[4], &v[9], &v[14]);
	}
	for (int i = 0; i < 16; i++)
		x[i] += v[i];
}
