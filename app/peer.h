// SPDX-License-Identifier: BSD-3-Clause
/* What clients of any protocol need to know of the server that they connect to. */
#ifndef QL_APP_PEER_H
#define QL_APP_PEER_H

#include <qlane/conn.h>

#include "options.h"

#define QL_PEER_TEXT 256

/* The first of the dynamic ports (RFC 6335). */
#define QL_PEER_PORT 49152

/* Our address of its family that has most in common with it; NULL: none is of its family. */
const struct ql_addr *ql_peer_nearest(const struct ql_ifaddrs *ours, const struct ql_addr *to);

/* Why a connection to it ended, in words; what a person can do about it goes with it. */
void ql_peer_explain(const struct ql_close_info *info, const struct ql_addr *to,
		     char why[QL_PEER_TEXT]);

#endif /* QL_APP_PEER_H */
