// SPDX-License-Identifier: BSD-3-Clause
/*
 * The Retry Integrity Tag: RFC 9001, section 5.8, and RFC 9369, section 3.3.3. odcid is the
 * Destination Connection ID of the Initial that the Retry answers, at most 20 bytes.
 */
#ifndef QL_CRYPTO_RETRY_H
#define QL_CRYPTO_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "crypto/suite.h"

/* Longest Retry packet, tag included; a longer one is not worth having. */
#define QL_RETRY_MAX 2048

/*
 * The tag that belongs behind the len bytes at retry. 0; -EPROTONOSUPPORT for an unknown version;
 * -EMSGSIZE when the packet or odcid is too long.
 */
int ql_retry_tag(uint32_t version, const uint8_t *odcid, size_t odcid_len, const uint8_t *retry,
		 size_t len, uint8_t tag[QL_TAG_LEN]);

/* Whether the last QL_TAG_LEN of the len bytes at retry are its tag. */
bool ql_retry_verify(uint32_t version, const uint8_t *odcid, size_t odcid_len, const uint8_t *retry,
		     size_t len);

#endif
