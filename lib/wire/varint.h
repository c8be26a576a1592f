// SPDX-License-Identifier: BSD-3-Clause
/*
 * Variable-length integers: 1, 2, 4 or 8 bytes, the width in the top two bits of the first
 * (RFC 9000, section 16). All inline; one- and two-byte forms are the fast ones.
 *
 * Writers take values up to QL_VARINT_MAX only: whoever passes a larger one writes garbage of the
 * length that ql_varint_len() promised. The caller has checked that the bytes fit.
 */
#ifndef QL_WIRE_VARINT_H
#define QL_WIRE_VARINT_H

#include <errno.h>
#include <stdint.h>

#include "wire/bytes.h"

#define QL_VARINT_MAX	   ((UINT64_C(1) << 62) - 1)
#define QL_VARINT_MAX_SIZE 8

/* Bytes of the shortest form of v. */
static inline unsigned int ql_varint_len(uint64_t v)
{
	if (v < 64)
		return 1;
	if (v < 16384)
		return 2;
	return v < (UINT64_C(1) << 30) ? 4 : 8;
}

/* Writes v in exactly len bytes (1, 2, 4 or 8, wide enough for v); returns the byte after it. */
static inline uint8_t *ql_varint_put_len(uint8_t *p, uint64_t v, unsigned int len)
{
	switch (len) {
	case 1:
		*p = (uint8_t)v;
		return p + 1;
	case 2:
		return ql_put_be16(p, (uint16_t)(v | 0x4000));
	case 4:
		return ql_put_be32(p, (uint32_t)(v | 0x80000000u));
	default:
		return ql_put_be64(p, v | (UINT64_C(3) << 62));
	}
}

/* Writes the shortest form of v; returns the byte after it. */
static inline uint8_t *ql_varint_put(uint8_t *p, uint64_t v)
{
	return ql_varint_put_len(p, v, ql_varint_len(v));
}

/*
 * Reads a varint of any width at *p, no byte at end or behind, and advances *p.
 * 0, or -EBADMSG when it is cut off; then neither *p nor *v has changed.
 */
static inline int ql_varint_get(const uint8_t **p, const uint8_t *end, uint64_t *v)
{
	const uint8_t *b = *p;
	size_t left = (size_t)(end - b), len;

	if (__builtin_expect(left == 0, 0))
		return -EBADMSG;
	if (b[0] < 0x40) {
		*v = b[0];
		*p = b + 1;
		return 0;
	}
	len = (size_t)1 << (b[0] >> 6);
	if (__builtin_expect(left < len, 0))
		return -EBADMSG;
	if (len == 2)
		*v = ql_get_be16(b) & 0x3fff;
	else if (len == 4)
		*v = ql_get_be32(b) & 0x3fffffff;
	else
		*v = ql_get_be64(b) & QL_VARINT_MAX;
	*p = b + len;
	return 0;
}

#endif
