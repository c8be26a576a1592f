// SPDX-License-Identifier: BSD-3-Clause
#include "crypto/suite.h"

#include <errno.h>

const struct ql_suite_info ql_suites[QL_SUITES] = {
	[QL_AES128_GCM_SHA256] =
		{
			.name = "TLS_AES_128_GCM_SHA256",
			.tls_id = 0x1301,
			.key_len = 16,
			.hash_len = 32,
			.confidentiality_limit = UINT64_C(1) << 23,
			.integrity_limit = UINT64_C(1) << 52,
		},
	[QL_AES256_GCM_SHA384] =
		{
			.name = "TLS_AES_256_GCM_SHA384",
			.tls_id = 0x1302,
			.key_len = 32,
			.hash_len = 48,
			.confidentiality_limit = UINT64_C(1) << 23,
			.integrity_limit = UINT64_C(1) << 52,
		},
	[QL_CHACHA20_POLY1305_SHA256] =
		{
			.name = "TLS_CHACHA20_POLY1305_SHA256",
			.tls_id = 0x1303,
			.key_len = 32,
			.hash_len = 32,
			/* more than there are packet numbers */
			.confidentiality_limit = UINT64_C(1) << 62,
			.integrity_limit = UINT64_C(1) << 36,
		},
};

int ql_suite_from_tls(uint16_t tls_id)
{
	for (int i = 0; i < QL_SUITES; i++)
		if (ql_suites[i].tls_id == tls_id)
			return i;
	return -EINVAL;
}
