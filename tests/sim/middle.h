// SPDX-License-Identifier: BSD-3-Clause
/*
 * Somebody in the middle, who knows what everybody on the path can know: the keys of Initial
 * packets, and what unprotected packets look like. For filters of links (sim.h).
 */
#ifndef SIM_MIDDLE_H
#define SIM_MIDDLE_H

#include "sim/sim.h"
#include "wire/packet.h"

/*
 * Make the Initial packet that a datagram begins with one of another version; what follows it stays
 * as it is. dcid is where the client's first Initial goes, or, after a Retry, the first with a
 * token. False, and the datagram is useless, when it begins with something else.
 */
bool sim_middle_convert(struct ql_datagram *d, const struct ql_cid *dcid, bool from_server,
			uint32_t version);

/*
 * Write a Version Negotiation packet with these versions, in answer to the client's packet that a
 * datagram begins with. Returns its size, 0 if that is no packet with a long header.
 */
size_t sim_middle_negotiate(const struct ql_datagram *d, const uint32_t *versions, size_t n,
			    uint8_t *buf, size_t room);

#endif
