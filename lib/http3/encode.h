// SPDX-License-Identifier: BSD-3-Clause
/*
 * Frames of request streams as bytes (RFC 9114, 7.2.1 and 7.2.2): header sections by nghttp3's QPACK
 * encoder, and what stands before content.
 *
 * Only QPACK's static table is used. So a section waits for no other stream at the peer, needs no
 * acknowledgement, and one encoder, which keeps nothing of what it has encoded, serves all
 * connections of a thread.
 */
#ifndef QL_HTTP3_ENCODE_H
#define QL_HTTP3_ENCODE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <nghttp3/nghttp3.h>

#define QL_HTTP_FRAME_HEAD 9	/* most bytes of a frame's type and length, as written here */
#define QL_HTTP_ENCODER	   1024 /* bytes that an encoder keeps for the next section, at most */

/* All zero at first. */
struct ql_http_encoder {
	nghttp3_qpack_encoder *qpack; /* NULL until it is needed */
	nghttp3_buf out;
};

void ql_http_encoder_fini(struct ql_http_encoder *e);

/*
 * A HEADERS frame with these fields; and, if content is not 0, the head of a DATA frame with so many
 * bytes, which are to follow.
 * @param bytes	 set to what is to be sent; valid until the next call
 * @return their number; -ENOMEM
 */
ssize_t ql_http_encode_headers(struct ql_http_encoder *e, const nghttp3_nv *nv, size_t n,
			       uint64_t content, const uint8_t **bytes);

/*
 * Write the head of a DATA frame with len bytes so that it ends at end.
 * @return where it begins, at most QL_HTTP_FRAME_HEAD bytes before
 */
uint8_t *ql_http_encode_data_head(uint8_t *end, uint64_t len);

#endif /* QL_HTTP3_ENCODE_H */
