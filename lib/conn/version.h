// SPDX-License-Identifier: BSD-3-Clause
/*
 * Which version of QUIC a connection speaks: the lists that endpoints have, and negotiation between
 * compatible versions (RFC 9368; RFC 9369, section 4), of which there are two.
 *
 * conn->version is the version in use: packets are written in it, and keys follow from it. It may
 * change once, before anything but Initial packets has been sent or taken. hs->first_version is
 * that of the client's first flight, which 0-RTT packets and Retry keep to.
 *
 *	server	takes up the first version of its list that the client offers when it has the
 *		client's transport parameters; Initial packets of first_version are still opened
 *	client	learns it by the first Initial packet of another version that it has offered and
 *		that authenticates, and has it confirmed by the server's transport parameters
 *
 * A Version Negotiation packet makes the client begin anew, once, with another version of its list.
 */
#ifndef QL_CONN_VERSION_H
#define QL_CONN_VERSION_H

#include <qlane/engine.h>

#include "wire/packet.h"
#include "wire/tparams.h"

struct ql_conn;
struct ql_keys;

/* ---- Lists ---- */

/* The versions of an endpoint, preferred ones first; returns how many. */
unsigned int ql_versions(const struct ql_transport *t, uint32_t out[QL_VERSIONS_MAX]);

bool ql_version_listed(const struct ql_transport *t, uint32_t version);

/* Each is known and there once, and first_version, if given, is one of them. */
bool ql_versions_valid(const struct ql_transport *t);

/* That of a client's first packets. */
uint32_t ql_version_first(const struct ql_transport *t);

/* The endpoint's most preferred one among the n offered; 0 if there is none. */
uint32_t ql_version_choose(const struct ql_transport *t, const uint32_t *offered, size_t n);

/* ---- A connection ---- */

/* Put version_information into our transport parameters. */
void ql_version_write(const struct ql_conn *conn, struct ql_tparams *tp);

/*
 * What the peer's transport parameters say about it (RFC 9368, section 4). A server takes up the
 * negotiated version here. A transport error code or 0.
 */
uint64_t ql_version_on_params(struct ql_conn *conn, const struct ql_tparams *tp);

/*
 * Keys that may open an Initial packet of a version other than the one in use; NULL if it is to be
 * dropped. When a client's packet opens: ql_version_learned().
 */
struct ql_keys *ql_version_initial_keys(struct ql_conn *conn, uint32_t version);
/* 0 or -ENOMEM. */
int ql_version_learned(struct ql_conn *conn, uint32_t version);

/*
 * A client begins anew with the version that it likes best among those of a Version Negotiation
 * packet. 0; -EPROTONOSUPPORT if there is none; -ENOMEM.
 */
int ql_version_restart(struct ql_conn *conn, const struct ql_pkt_hdr *negotiation);

#endif
