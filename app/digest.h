// SPDX-License-Identifier: BSD-3-Clause
/*
 * The Content-Digest field (RFC 9530) by SHA-256: of what is sent, as a trailer, and of what was
 * received, to be compared.
 */
#ifndef QL_APP_DIGEST_H
#define QL_APP_DIGEST_H

#include <stdbool.h>
#include <stddef.h>

#define QL_DIGEST 64 /* bytes of the field's value, with the zero byte */

struct ql_digest;

/* NULL without memory. */
struct ql_digest *ql_digest_new(void);
void ql_digest_add(struct ql_digest *d, const void *data, size_t len);
/* The field's value, "sha-256=:...:"; d is used up by that. */
void ql_digest_value(struct ql_digest *d, char value[QL_DIGEST]);
void ql_digest_free(struct ql_digest *d);

/*
 * Whether a received field allows that value: false only if it names another one by SHA-256. NULL,
 * other algorithms and what is malformed say nothing.
 */
bool ql_digest_agrees(const char *field, const char *value);

#endif /* QL_APP_DIGEST_H */
