// SPDX-License-Identifier: BSD-3-Clause
/*
 * A server's SETTINGS as its client remembers them, for requests in early data (RFC 9114, section
 * 7.2.4.2; RFC 9204, section 3.2.3).
 *
 * They are read off the control stream on its way to nghttp3, which checks them, and kept behind
 * the session that the application keeps:
 *
 *	session of QUIC, 3 values of 8 bytes, "h3s1"
 *
 * Early requests rely on no more than the defaults, which no server can go below: remembered
 * values serve to see whether the server has kept its word.
 */
#ifndef QL_HTTP3_SETTINGS_H
#define QL_HTTP3_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QL_HTTP_SETTINGS_TAIL (3 * 8 + 4) /* bytes behind a session */
#define QL_HTTP_SETTINGS_SEEN 16	  /* identifiers that are looked for twice */

struct ql_http_settings {
	uint64_t max_field_section_size; /* UINT64_MAX: no limit */
	uint64_t qpack_capacity;
	uint64_t qpack_blocked;
};

/* Reads the payload of a SETTINGS frame that comes in pieces. */
struct ql_http_settings_reader {
	struct ql_http_settings values;
	uint64_t id;
	uint64_t seen[QL_HTTP_SETTINGS_SEEN];
	uint8_t n_seen;
	bool in_value; /* id is there */
	uint8_t have;
	uint8_t kept[8]; /* of a varint that is not complete */
};

/* At the start of a frame: values are the defaults. */
void ql_http_settings_begin(struct ql_http_settings_reader *r);
/* The next bytes of its payload. False: an identifier is there twice (RFC 9114, 7.2.4). */
bool ql_http_settings_read(struct ql_http_settings_reader *r, const uint8_t *data, size_t len);

/*
 * Whether a server that took early data on the old values may have the new ones: 0, or the HTTP/3
 * error code to close with.
 */
uint64_t ql_http_settings_check(const struct ql_http_settings *old,
				const struct ql_http_settings *now);

/* Put QL_HTTP_SETTINGS_TAIL bytes. */
void ql_http_settings_put(const struct ql_http_settings *s, uint8_t *p);
/* Take them off the end of a session, and its length. False if they are not there. */
bool ql_http_settings_take(struct ql_http_settings *s, const uint8_t *session, size_t *len);

#endif /* QL_HTTP3_SETTINGS_H */
