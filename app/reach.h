// SPDX-License-Identifier: BSD-3-Clause
/* What clients have in common: where a server is, which address of ours to use, and why it ended. */
#ifndef QL_APP_REACH_H
#define QL_APP_REACH_H

#include <qlane/conn.h>

#include "options.h"

/* Host, a name or a literal address without brackets, to addr. False after a message. */
bool ql_reach_resolve(const char *host, uint16_t port, struct ql_addr *addr);

/*
 * Of our addresses the one of the server's family that has most in common with it. NULL after a
 * message; host is the server's name for that.
 */
const struct ql_addr *ql_reach_from(const struct ql_ifaddrs *ours, const struct ql_addr *to,
				    const char *host);

struct ql_lane;

/*
 * A port of ours for a connection between these: ql_lane_source_port(), or without a lane any dynamic
 * one (RFC 6335), so that two runs hardly meet.
 */
uint16_t ql_reach_port(struct ql_lane *lane, const struct ql_addr *local,
		       const struct ql_addr *remote);

/* A connection's end in words; what a person can do about it goes with it. */
void ql_reach_explain(const struct ql_close_info *info, const struct ql_addr *server, char *why,
		      size_t size);

#endif /* QL_APP_REACH_H */
