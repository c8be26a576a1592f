// SPDX-License-Identifier: BSD-3-Clause
#include "net/cksum.h"

#include <string.h>

#include <rte_ip.h>

#if defined(__x86_64__)
#include <immintrin.h>

/* What the words of whole vectors add up to and the bytes after them, folded. */
static inline uint16_t fold(uint64_t sum, const uint8_t *rest, size_t len)
{
	sum += rte_raw_cksum(rest, len);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/*
 * There is one instruction that adds pairs of signed words. So 0x8000 is taken from each word, and
 * given back in the end. Each lane has room for the pairs of 64 KiB.
 */
#define BIAS 0x8000

__attribute__((target("avx2"))) static uint16_t sum_avx2(const uint8_t *p, size_t len)
{
	const __m256i bias = _mm256_set1_epi16((short)BIAS), ones = _mm256_set1_epi16(1);
	__m256i a = _mm256_setzero_si256(), b = a;
	size_t words = len / 64 * 32;
	int32_t lanes[8];
	uint64_t sum = words * BIAS;

	for (; len >= 64; p += 64, len -= 64) {
		__m256i v = _mm256_loadu_si256((const void *)p),
			w = _mm256_loadu_si256((const void *)(p + 32));

		a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_xor_si256(v, bias), ones));
		b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_xor_si256(w, bias), ones));
	}
	_mm256_storeu_si256((void *)lanes, _mm256_add_epi32(a, b));
	for (unsigned int i = 0; i < 8; i++)
		sum += (uint64_t)(int64_t)lanes[i];
	return fold(sum, p, len);
}

__attribute__((target("avx512bw"))) static uint16_t sum_avx512(const uint8_t *p, size_t len)
{
	const __m512i bias = _mm512_set1_epi16((short)BIAS), ones = _mm512_set1_epi16(1);
	__m512i a = _mm512_setzero_si512();
	size_t words = len / 64 * 32;
	uint64_t sum = words * BIAS;

	for (; len >= 64; p += 64, len -= 64) {
		__m512i v = _mm512_loadu_si512(p);

		a = _mm512_add_epi32(a, _mm512_madd_epi16(_mm512_xor_si512(v, bias), ones));
	}
	sum += (uint64_t)(int64_t)_mm512_reduce_add_epi32(a);
	return fold(sum, p, len);
}
#endif

uint16_t ql_raw_cksum(const void *data, size_t len)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512bw"))
		return sum_avx512(data, len);
	if (__builtin_cpu_supports("avx2"))
		return sum_avx2(data, len);
#endif
	return rte_raw_cksum(data, len);
}
