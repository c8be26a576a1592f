// SPDX-License-Identifier: BSD-3-Clause
/*
 * A client's session as bytes, as the application keeps them: what TLS resumes by, and what the
 * server allowed, for early data (RFC 9000, section 7.4.1).
 *
 *	1	format, QL_SESSION_FORMAT
 *	1	flags: 1 the server takes early data, 2 its certificate was verified
 *	4	version of QUIC
 *	1+	protocol (ALPN), its length first
 *	1+	name of the server, its length first; 0 for none
 *	2+	transport parameters that are remembered, their length first
 *	2+	TLS's part, its length first
 *
 * Whoever has these bytes can pass for the client; nothing in them is secret to the application.
 */
#ifndef QL_CONN_SESSION_H
#define QL_CONN_SESSION_H

#include <qlane/conn.h>

#include "crypto/tls.h"
#include "wire/tparams.h"

#define QL_SESSION_FORMAT 1
#define QL_SESSION_PARAMS 192 /* bytes that remembered parameters need at most */

_Static_assert(6 + 256 + 256 + 2 + QL_SESSION_PARAMS + 2 + QL_TLS_SESSION_MAX <= QL_SESSION_MAX,
	       "a session has grown");

struct ql_session {
	uint32_t version;
	bool early;		 /* the server takes early data */
	bool verified;		 /* its certificate was verified */
	const char *alpn, *name; /* not zero-terminated */
	uint8_t alpn_len, name_len;
	const uint8_t *params, *tls;
	uint16_t params_len, tls_len;
};

/* Bytes at out, 0 if it is too large. */
size_t ql_session_encode(const struct ql_session *s, uint8_t out[QL_SESSION_MAX]);

/* *s points into data. 0, or -EBADMSG. */
int ql_session_decode(struct ql_session *s, const uint8_t *data, size_t len);

/* Of a server's parameters those that hold for the next connection, too; the others are reset. */
void ql_session_remember(struct ql_tparams *tp);

/* Those as bytes. Their number; 0 if there is no room, which does not happen. */
size_t ql_session_params(const struct ql_tparams *tp, uint8_t out[QL_SESSION_PARAMS]);

/* One of the limits that early data relies on is lower now than it was. */
bool ql_session_reduced(const struct ql_tparams *now, const struct ql_tparams *before);

#endif
