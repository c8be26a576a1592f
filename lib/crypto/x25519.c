// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/x25519.h"

#include <string.h>

#include "crypto/secret.h"
#include "ql_build.h"

#if QL_HAVE_WOLFSSL_X25519
#include <wolfssl/ql_x25519.h>
#endif

#if defined(__x86_64__)
#include <immintrin.h>

#define VECTORS __attribute__((target("avx512f,avx512dq,avx512ifma")))
#define SCALARS __attribute__((target("bmi2")))
#define INLINE	__attribute__((always_inline)) static inline

/* Numbers modulo p = 2^255 - 19: five limbs of 51 bits, and a little more where it says so. */
#define LIMBS	  5
#define LIMB_BITS 51
#define MASK	  ((UINT64_C(1) << LIMB_BITS) - 1)

struct number {
	uint64_t limb[LIMBS];
};

/* ---- The ladder: a number in each of eight lanes ---- */

typedef __m512i lanes;

/* Lanes 1, 5 and so on: there are two points in a vector, four numbers each. */
#define LANES_0	  0x11
#define LANES_1	  0x22
#define LANES_13  0xaa
#define LANES_123 0xee

/*
 * Of limbs below 2^52. The instructions multiply 52 bits and give 52 bits of the product, low or
 * high; the high ones count twice in limbs of 51. Limbs of the result are below 2^61.
 */
VECTORS INLINE void multiply(lanes r[LIMBS], const lanes a[LIMBS], const lanes b[LIMBS])
{
	lanes low[2 * LIMBS], high[2 * LIMBS], up, twice;

#pragma GCC unroll 10
	for (int i = 0; i < 2 * LIMBS; i++)
		low[i] = high[i] = _mm512_setzero_si512();
#pragma GCC unroll 10
	for (int i = 0; i < LIMBS; i++) {
#pragma GCC unroll 10
		for (int k = 0; k < LIMBS; k++) {
			low[i + k] = _mm512_madd52lo_epu64(low[i + k], a[i], b[k]);
			high[i + k + 1] = _mm512_madd52hi_epu64(high[i + k + 1], a[i], b[k]);
		}
	}
	/* 2^255 is 19: 1 + 2 + 16 */
#pragma GCC unroll 10
	for (int i = 0; i < LIMBS; i++) {
		up = _mm512_add_epi64(high[LIMBS + i], high[LIMBS + i]);
		up = _mm512_add_epi64(low[LIMBS + i], up);
		twice = _mm512_add_epi64(high[i], up);
		r[i] = _mm512_add_epi64(low[i], up);
		r[i] = _mm512_add_epi64(r[i], _mm512_slli_epi64(up, 4));
		r[i] = _mm512_add_epi64(r[i], _mm512_add_epi64(twice, twice));
	}
}

/* Makes limbs that are below 2^51 + 2^18 of any. */
VECTORS INLINE void carry(lanes r[LIMBS], const lanes a[LIMBS])
{
	const lanes mask = _mm512_set1_epi64(MASK);
	lanes over[LIMBS];

#pragma GCC unroll 10
	for (int i = 0; i < LIMBS; i++) {
		over[i] = _mm512_srli_epi64(a[i], LIMB_BITS);
		r[i] = _mm512_and_si512(a[i], mask);
	}
#pragma GCC unroll 10
	for (int i = 1; i < LIMBS; i++)
		r[i] = _mm512_add_epi64(r[i], over[i - 1]);
	r[0] = _mm512_madd52lo_epu64(r[0], over[LIMBS - 1], _mm512_set1_epi64(19));
}

/* Neighbours for each other. */
#define OTHER(x) _mm512_shuffle_epi32(x, 0x4e)

/* 1024 p - a in lanes 1 and 3, a in the others. */
VECTORS INLINE lanes negate(int limb, lanes a)
{
	const lanes p1024 = _mm512_set1_epi64((limb == 0 ? MASK - 18 : MASK) << 10);

	return _mm512_mask_sub_epi64(a, LANES_13, p1024, a);
}

/*
 * RFC 7748, section 5, for the base point in lanes 0..3 and the peer's in lanes 4..7. A vector of state
 * has X2, Z2, X3, Z3 of each; u has 1, 0, 1 and the point. The names of the RFC's values are kept.
 *
 * Instead of swapping the points, what is squared is chosen: (A, B) or (C, D), which squares to AA and
 * BB. The other products, DA and CB, change places then, which their sum and the square of their
 * difference do not show.
 */
VECTORS __attribute__((noinline)) static void
ladder(uint64_t out[LIMBS][8], const uint8_t secret[QL_X25519_LEN], const struct number *point)
{
	const lanes left = _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7);
	const lanes left_swap = _mm512_setr_epi64(2, 3, 2, 3, 6, 7, 6, 7);
	const lanes right = _mm512_setr_epi64(0, 1, 1, 0, 4, 5, 5, 4);
	const lanes right_swap = _mm512_setr_epi64(2, 3, 1, 0, 6, 7, 5, 4);
	lanes state[LIMBS], u[LIMBS], other[LIMBS], square[LIMBS];
	lanes a[LIMBS], l[LIMBS], r[LIMBS], e[LIMBS];
	uint64_t bit, before = 0;

	for (int i = 0; i < LIMBS; i++) {
		int64_t one = i == 0, base = i == 0 ? 9 : 0, peer = (int64_t)point->limb[i];

		state[i] = _mm512_setr_epi64(one, 0, base, one, one, 0, peer, one);
		u[i] = _mm512_setr_epi64(one, 0, one, base, one, 0, one, peer);
	}
	for (int t = 254; t >= 0; t--) {
		lanes swap, pick_l, pick_r;

		bit = secret[t / 8] >> t % 8 & 1;
		swap = _mm512_set1_epi64(-(int64_t)(bit ^ before));
		pick_l = left ^ (swap & (left ^ left_swap));
		pick_r = right ^ (swap & (right ^ right_swap));
		before = bit;

		/* A, B, C, D; then AA, BB, CB, DA */
#pragma GCC unroll 10
		for (int i = 0; i < LIMBS; i++)
			a[i] = _mm512_add_epi64(negate(i, state[i]), OTHER(state[i]));
		carry(a, a);
#pragma GCC unroll 10
		for (int i = 0; i < LIMBS; i++) {
			l[i] = _mm512_permutexvar_epi64(pick_l, a[i]);
			r[i] = _mm512_permutexvar_epi64(pick_r, a[i]);
		}
		multiply(a, l, r);

		/* AA, E, CB + DA, CB - DA by BB, a24, and themselves: X2, a24 E, X3 and a square */
#pragma GCC unroll 10
		for (int i = 0; i < LIMBS; i++) {
			other[i] = OTHER(a[i]);
			e[i] = _mm512_mask_add_epi64(a[i], LANES_123, negate(i, a[i]), other[i]);
		}
		carry(e, e);
		carry(square, other);
#pragma GCC unroll 10
		for (int i = 0; i < LIMBS; i++) {
			r[i] = _mm512_mask_mov_epi64(e[i], LANES_0, square[i]);
			r[i] = _mm512_mask_mov_epi64(r[i], LANES_1,
						     _mm512_set1_epi64(i == 0 ? 121665 : 0));
		}
		multiply(a, e, r);

		/* X2, E, X3 and the square by 1, AA + a24 E, 1 and the point */
#pragma GCC unroll 10
		for (int i = 0; i < LIMBS; i++)
			a[i] = _mm512_mask_add_epi64(a[i], LANES_1, a[i], other[i]);
		carry(a, a);
#pragma GCC unroll 10
		for (int i = 0; i < LIMBS; i++) {
			l[i] = _mm512_mask_mov_epi64(a[i], LANES_1, e[i]);
			r[i] = _mm512_mask_mov_epi64(u[i], LANES_1, a[i]);
		}
		multiply(state, l, r);
	}
	/* the lowest bit is 0: nothing is swapped now */
	carry(state, state);
	for (int i = 0; i < LIMBS; i++)
		_mm512_storeu_si512(out[i], state[i]);
}

/* ---- One number, limbs below 2^52 ---- */

typedef unsigned __int128 wide;

/* Carries go along from two places at once. */
INLINE struct number reduce(wide t0, wide t1, wide t2, wide t3, wide t4)
{
	struct number r;

	t1 += (uint64_t)(t0 >> LIMB_BITS);
	t4 += (uint64_t)(t3 >> LIMB_BITS);
	t2 += (uint64_t)(t1 >> LIMB_BITS);
	r.limb[0] = ((uint64_t)t0 & MASK) + 19 * (uint64_t)(t4 >> LIMB_BITS);
	r.limb[3] = ((uint64_t)t3 & MASK) + (uint64_t)(t2 >> LIMB_BITS);
	r.limb[1] = ((uint64_t)t1 & MASK) + (r.limb[0] >> LIMB_BITS);
	r.limb[4] = ((uint64_t)t4 & MASK) + (r.limb[3] >> LIMB_BITS);
	r.limb[0] &= MASK;
	r.limb[2] = (uint64_t)t2 & MASK;
	r.limb[3] &= MASK;
	return r;
}

SCALARS INLINE struct number times(const struct number *x, const struct number *y)
{
	const uint64_t *a = x->limb, *b = y->limb;
	uint64_t b1 = 19 * b[1], b2 = 19 * b[2], b3 = 19 * b[3], b4 = 19 * b[4];

	return reduce((wide)a[0] * b[0] + (wide)a[1] * b4 + (wide)a[2] * b3 + (wide)a[3] * b2 +
			      (wide)a[4] * b1,
		      (wide)a[0] * b[1] + (wide)a[1] * b[0] + (wide)a[2] * b4 + (wide)a[3] * b3 +
			      (wide)a[4] * b2,
		      (wide)a[0] * b[2] + (wide)a[1] * b[1] + (wide)a[2] * b[0] + (wide)a[3] * b4 +
			      (wide)a[4] * b3,
		      (wide)a[0] * b[3] + (wide)a[1] * b[2] + (wide)a[2] * b[1] +
			      (wide)a[3] * b[0] + (wide)a[4] * b4,
		      (wide)a[0] * b[4] + (wide)a[1] * b[3] + (wide)a[2] * b[2] +
			      (wide)a[3] * b[1] + (wide)a[4] * b[0]);
}

/* Squared n times. */
SCALARS static struct number squared(struct number x, unsigned int n)
{
	while (n-- > 0) {
		const uint64_t *a = x.limb;
		uint64_t a0 = 2 * a[0], a1 = 2 * a[1], a3 = 19 * a[3], a4 = 19 * a[4];

		x = reduce((wide)a[0] * a[0] + (wide)a1 * a4 + (wide)(2 * a[2]) * a3,
			   (wide)a0 * a[1] + (wide)(2 * a[2]) * a4 + (wide)a[3] * a3,
			   (wide)a0 * a[2] + (wide)a[1] * a[1] + (wide)(2 * a[3]) * a4,
			   (wide)a0 * a[3] + (wide)a1 * a[2] + (wide)a[4] * a4,
			   (wide)a0 * a[4] + (wide)a1 * a[3] + (wide)a[2] * a[2]);
	}
	return x;
}

/* x to the power of p - 2 = 2^255 - 21; each name says how many ones its exponent has. */
SCALARS static struct number inverse(const struct number *x)
{
	struct number x2 = squared(*x, 1), x8 = squared(x2, 2), x9 = times(&x8, x);
	struct number x11 = times(&x9, &x2), r = squared(x11, 1), five = times(&r, &x9);
	struct number ten, twenty, fifty, hundred;

	r = squared(five, 5);
	ten = times(&r, &five);
	r = squared(ten, 10);
	twenty = times(&r, &ten);
	r = squared(twenty, 20);
	r = times(&r, &twenty);
	r = squared(r, 10);
	fifty = times(&r, &ten);
	r = squared(fifty, 50);
	hundred = times(&r, &fifty);
	r = squared(hundred, 100);
	r = times(&r, &hundred);
	r = squared(r, 50);
	r = times(&r, &fifty);
	r = squared(r, 5);
	return times(&r, &x11);
}

static struct number get(const uint8_t bytes[QL_X25519_LEN])
{
	uint64_t w[4];

	memcpy(w, bytes, sizeof(w));
	return (struct number){{w[0] & MASK, (w[0] >> 51 | w[1] << 13) & MASK,
				(w[1] >> 38 | w[2] << 26) & MASK, (w[2] >> 25 | w[3] << 39) & MASK,
				w[3] >> 12 & MASK}};
}

static void put(uint8_t bytes[QL_X25519_LEN], struct number x)
{
	uint64_t *a = x.limb, w[4], above;

	for (int n = 0; n < 2; n++) { /* then limbs are below 2^51 */
		for (int i = 1; i < LIMBS; i++) {
			a[i] += a[i - 1] >> LIMB_BITS;
			a[i - 1] &= MASK;
		}
		a[0] += 19 * (a[4] >> LIMB_BITS);
		a[4] &= MASK;
	}
	above = a[0] + 19; /* 2^255 or more, if it is p or more */
	for (int i = 1; i < LIMBS; i++)
		above = a[i] + (above >> LIMB_BITS);
	a[0] += 19 * (above >> LIMB_BITS);
	for (int i = 1; i < LIMBS; i++) {
		a[i] += a[i - 1] >> LIMB_BITS;
		a[i - 1] &= MASK;
	}
	a[4] &= MASK;
	w[0] = a[0] | a[1] << 51;
	w[1] = a[1] >> 13 | a[2] << 38;
	w[2] = a[2] >> 26 | a[3] << 25;
	w[3] = a[3] >> 39 | a[4] << 12;
	memcpy(bytes, w, sizeof(w));
}

static bool is_zero(struct number x)
{
	uint8_t bytes[QL_X25519_LEN], all = 0;

	put(bytes, x);
	for (int i = 0; i < QL_X25519_LEN; i++)
		all |= bytes[i];
	return all == 0;
}

/* ---- Both ---- */

SCALARS void ql_x25519_pair(uint8_t public[QL_X25519_LEN], uint8_t shared[QL_X25519_LEN],
			    const uint8_t secret[QL_X25519_LEN], const uint8_t peer[QL_X25519_LEN])
{
	struct number x[2], z[2], both, r, point = get(peer);
	uint64_t out[LIMBS][8];

	ladder(out, secret, &point);
	for (int i = 0; i < LIMBS; i++) {
		for (int k = 0; k < 2; k++) {
			x[k].limb[i] = out[i][4 * k];
			z[k].limb[i] = out[i][4 * k + 1];
		}
	}
	/* Of small order, whatever the secret is: that is no secret. */
	if (is_zero(z[1])) {
		x[1] = (struct number){{0}};
		z[1] = (struct number){{1}};
	}
	/* x / z of both, with one inversion */
	both = times(&z[0], &z[1]);
	both = inverse(&both);
	r = times(&both, &z[1]);
	put(public, times(&r, &x[0]));
	r = times(&both, &z[0]);
	put(shared, times(&r, &x[1]));
	ql_wipe(out, sizeof(out));
	ql_wipe(x, sizeof(x));
	ql_wipe(z, sizeof(z));
}

bool ql_x25519_usable(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("bmi2");
}

#else

bool ql_x25519_usable(void)
{
	return false;
}

void ql_x25519_pair(uint8_t public[QL_X25519_LEN], uint8_t shared[QL_X25519_LEN],
		    const uint8_t secret[QL_X25519_LEN], const uint8_t peer[QL_X25519_LEN])
{
	(void)public;
	(void)shared;
	(void)secret;
	(void)peer;
}

#endif

void ql_x25519_shared(uint8_t shared[QL_X25519_LEN], const uint8_t secret[QL_X25519_LEN],
		      const uint8_t peer[QL_X25519_LEN])
{
	uint8_t public[QL_X25519_LEN];

	ql_x25519_pair(public, shared, secret, peer);
}

void ql_x25519_install(void)
{
#if QL_HAVE_WOLFSSL_X25519
	static const struct ql_wolfssl_x25519 ours = {
		.pair = ql_x25519_pair,
		.shared = ql_x25519_shared,
	};

	if (ql_x25519_usable())
		ql_wolfssl_set_x25519(&ours);
#endif
}
