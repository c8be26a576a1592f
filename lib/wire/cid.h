// SPDX-License-Identifier: BSD-3-Clause
/*
 * Connection IDs: a copy of fixed size to keep, and a view into a received packet.
 * QUIC versions 1 and 2 use at most 20 bytes (RFC 9000, section 17.2); other versions up to 255
 * (RFC 8999, section 5.1), which only ever appear as views.
 */
#ifndef QL_WIRE_CID_H
#define QL_WIRE_CID_H

#include <errno.h>
#include <stdbool.h>

#include "wire/bytes.h"

#define QL_CID_MAX	   20
#define QL_RESET_TOKEN_LEN 16

/* Bytes of id behind len have no meaning. */
struct ql_cid {
	uint8_t len;
	uint8_t id[QL_CID_MAX];
};

/* Points into somebody else's bytes and is valid as long as they are. */
struct ql_cid_view {
	const uint8_t *p;
	uint8_t len;
};

static inline struct ql_cid_view ql_cid_view(const struct ql_cid *c)
{
	return (struct ql_cid_view){.p = c->id, .len = c->len};
}

/* 0, or -EMSGSIZE when len is above QL_CID_MAX; c is unchanged then. p may be NULL if len is 0. */
static inline int ql_cid_set(struct ql_cid *c, const uint8_t *p, size_t len)
{
	if (len > QL_CID_MAX)
		return -EMSGSIZE;
	memset(c, 0, sizeof(*c));
	c->len = (uint8_t)len;
	ql_put_bytes(c->id, p, len);
	return 0;
}

/* Whether c is the len bytes at p. Not constant time: connection IDs are no secret. */
static inline bool ql_cid_is(const struct ql_cid *c, const uint8_t *p, size_t len)
{
	uint64_t diff;

	if (c->len != len)
		return false;
	if (len < 8)
		return len == 0 || memcmp(c->id, p, len) == 0;
	/* First and last eight bytes overlap and cover up to sixteen. */
	diff = ql_get_be64(c->id) ^ ql_get_be64(p);
	diff |= ql_get_be64(c->id + len - 8) ^ ql_get_be64(p + len - 8);
	if (len > 16)
		diff |= ql_get_be64(c->id + 8) ^ ql_get_be64(p + 8);
	return diff == 0;
}

static inline bool ql_cid_eq(const struct ql_cid *a, const struct ql_cid *b)
{
	return ql_cid_is(a, b->id, b->len);
}

#endif
