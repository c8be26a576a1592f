// SPDX-License-Identifier: BSD-3-Clause
#include "http3/encode.h"

#include <errno.h>
#include <string.h>

#include "http3/pool.h"
#include "wire/varint.h"

#define FRAME_DATA    0x0
#define FRAME_HEADERS 0x1

/* Of a field section without references to a dynamic table (RFC 9204, 4.5.1). */
#define PREFIX 2

#define FIRST 240 /* bytes of the buffer at first */

void ql_http_encoder_fini(struct ql_http_encoder *e)
{
	nghttp3_qpack_encoder_del(e->qpack);
	nghttp3_buf_free(&e->out, &ql_http_mem);
	*e = (struct ql_http_encoder){0};
}

/* Room for need bytes. */
static int reserve(nghttp3_buf *b, size_t need)
{
	size_t used = (size_t)(b->last - b->begin), size = FIRST;
	uint8_t *p;

	if (nghttp3_buf_left(b) >= need)
		return 0;
	while (size < used + need)
		size *= 2;
	p = ql_pool_realloc(b->begin, size);
	if (!p)
		return -ENOMEM;
	b->pos = p + (b->pos - b->begin);
	b->begin = p;
	b->last = p + used;
	b->end = p + size;
	return 0;
}

static uint8_t *put_head(uint8_t *end, uint8_t type, uint64_t len)
{
	uint8_t *p = end - 1 - ql_varint_len(len);

	*p = type;
	ql_varint_put(p + 1, len);
	return p;
}

uint8_t *ql_http_encode_data_head(uint8_t *end, uint64_t len)
{
	return put_head(end, FRAME_DATA, len);
}

/* The frame in e->out, from pos to last. */
static int encode(struct ql_http_encoder *e, const nghttp3_nv *nv, size_t n)
{
	uint8_t bytes[32]; /* longer than any prefix */
	nghttp3_buf prefix = {bytes, bytes + sizeof(bytes), bytes, bytes}, none = {0};
	nghttp3_buf *out = &e->out;

	if (!e->qpack && nghttp3_qpack_encoder_new(&e->qpack, 0, &ql_http_mem) != 0)
		return -ENOMEM;
	nghttp3_buf_reset(out);
	if (reserve(out, QL_HTTP_FRAME_HEAD + PREFIX) < 0)
		return -ENOMEM;
	out->pos = out->last = out->begin + QL_HTTP_FRAME_HEAD + PREFIX;
	/* nothing is told to the peer's table, and no stream is remembered: which one does not matter */
	if (nghttp3_qpack_encoder_encode(e->qpack, &prefix, out, &none, 0, nv, n) != 0)
		return -ENOMEM;
	out->pos -= PREFIX;
	memcpy(out->pos, prefix.pos, PREFIX);
	out->pos = put_head(out->pos, FRAME_HEADERS, nghttp3_buf_len(out));
	return 0;
}

ssize_t ql_http_encode_headers(struct ql_http_encoder *e, const nghttp3_nv *nv, size_t n,
			       uint64_t content, const uint8_t **bytes)
{
	nghttp3_buf *out = &e->out;

	if ((size_t)(out->end - out->begin) > QL_HTTP_ENCODER) {
		nghttp3_buf_free(out, &ql_http_mem);
		*out = (nghttp3_buf){0};
	}
	if (encode(e, nv, n) < 0 || reserve(out, QL_HTTP_FRAME_HEAD) < 0) {
		ql_http_encoder_fini(e); /* one that has failed cannot be used again */
		return -ENOMEM;
	}
	if (content > 0) {
		*out->last++ = FRAME_DATA;
		out->last = ql_varint_put(out->last, content);
	}
	*bytes = out->pos;
	return (ssize_t)nghttp3_buf_len(out);
}
