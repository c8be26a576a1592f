// SPDX-License-Identifier: BSD-3-Clause
/*
 * The peer's unidirectional streams on their way to nghttp3 (RFC 9114, 6.2): which of them is the
 * control stream, and its frames of an ID, or an ID and a little more, checked and in one piece.
 * For nghttp3 0.8 ends the process by an assertion when a GOAWAY or MAX_PUSH_ID frame is empty, and
 * when a PRIORITY_UPDATE frame (RFC 9218, 7.2) is cut behind its ID.
 *
 * A SETTINGS frame is read as it passes.
 *
 * What is kept of a stream is at most QL_HTTP_UNI_KEEP bytes.
 */
#ifndef QL_HTTP3_UNI_H
#define QL_HTTP3_UNI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http3/settings.h"

#define QL_HTTP_UNI_VALUE 256 /* most bytes of a PRIORITY_UPDATE's payload */
#define QL_HTTP_UNI_KEEP  (8 + 8 + QL_HTTP_UNI_VALUE)

struct ql_http_uni {
	enum {
		QL_HTTP_UNI_TYPE,    /* the stream's type is not complete */
		QL_HTTP_UNI_CONTROL, /* at the start of a frame, or within a kept one */
		QL_HTTP_UNI_PAYLOAD, /* within a frame that is passed on as it comes */
		QL_HTTP_UNI_OTHER,   /* not a control stream: all is passed on */
	} state;
	uint16_t have; /* bytes kept */
	uint64_t left; /* of the payload */
	bool in_settings;
	bool settings_complete; /* to be reset by who has looked at them */
	struct ql_http_settings_reader settings;
	uint8_t kept[QL_HTTP_UNI_KEEP];
};

/*
 * Take bytes from [*data, *data + *len), and say by out what goes on to nghttp3, in one call. To be
 * called until it gives nothing. out is valid until the next call.
 * @return bytes in out, 0 when the rest is kept; -EEXIST for a setting that is there twice;
 * -EMSGSIZE for a PRIORITY_UPDATE that is too large; -EBADMSG for a malformed frame
 */
ssize_t ql_http_uni_next(struct ql_http_uni *uni, const uint8_t **data, size_t *len,
			 const uint8_t **out);

static inline bool ql_http_uni_is_control(const struct ql_http_uni *uni)
{
	return uni->state == QL_HTTP_UNI_CONTROL || uni->state == QL_HTTP_UNI_PAYLOAD;
}

#endif /* QL_HTTP3_UNI_H */
