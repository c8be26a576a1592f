// SPDX-License-Identifier: BSD-3-Clause
#include "net/cksum.h"

#include <string.h>

#include <rte_ip.h>

#if defined(__x86_64__)
typedef uint32_t vector __attribute__((vector_size(32)));

/* Each lane sums 16-bit words: of 64 KiB it cannot overflow. */
__attribute__((target("avx2"))) static uint16_t sum_avx2(const uint8_t *p, size_t len)
{
	vector low = {0}, high = {0}, low2 = {0}, high2 = {0}, v, w;
	uint64_t sum = 0;

	for (; len >= 2 * sizeof(v); p += 2 * sizeof(v), len -= 2 * sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		memcpy(&w, p + sizeof(v), sizeof(w));
		low += v & 0xffff;
		high += v >> 16;
		low2 += w & 0xffff;
		high2 += w >> 16;
	}
	low += high + low2 + high2;
	for (unsigned int i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		sum += low[i];
	sum += rte_raw_cksum(p, len);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)((sum & 0xffff) + (sum >> 16));
}
#endif

uint16_t ql_raw_cksum(const void *data, size_t len)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx2"))
		return sum_avx2(data, len);
#endif
	return rte_raw_cksum(data, len);
}
