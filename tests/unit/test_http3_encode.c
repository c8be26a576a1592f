// SPDX-License-Identifier: BSD-3-Clause
/* What is encoded is read again by nghttp3's decoder. Memory comes from here, so that it can fail. */
#include "http3/encode.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "http3/pool.h"
#include "wire/varint.h"

#define NV(n, v)                                                                       \
	{                                                                              \
		.name = (uint8_t *)(n), .value = (uint8_t *)(v), .namelen = strlen(n), \
		.valuelen = strlen(v)                                                  \
	}

static unsigned int blocks;	       /* out */
static unsigned int left = UINT32_MAX; /* allocations until none succeeds any more */
static size_t largest;		       /* block of late */

void *ql_pool_realloc(void *block, size_t size)
{
	if (left == 0)
		return NULL;
	left -= left != UINT32_MAX;
	blocks += !block;
	largest = size;
	return realloc(block, size);
}

void *ql_pool_alloc(size_t size)
{
	return ql_pool_realloc(NULL, size);
}

void ql_pool_free(void *block)
{
	blocks -= block != NULL;
	free(block);
}

static void *mem_malloc(size_t size, void *arg)
{
	(void)arg;
	return ql_pool_alloc(size);
}

static void mem_free(void *block, void *arg)
{
	(void)arg;
	ql_pool_free(block);
}

static void *mem_calloc(size_t n, size_t size, void *arg)
{
	void *block = mem_malloc(n * size, arg);

	return block ? memset(block, 0, n * size) : NULL;
}

static void *mem_realloc(void *block, size_t size, void *arg)
{
	(void)arg;
	return ql_pool_realloc(block, size);
}

const nghttp3_mem ql_http_mem = {
	.malloc = mem_malloc, .free = mem_free, .calloc = mem_calloc, .realloc = mem_realloc};

/* The type and the length of a frame, which goes on behind *p. */
static void take_head(const uint8_t **p, const uint8_t *end, uint64_t type, uint64_t *len)
{
	uint64_t got;

	ck_assert_int_eq(ql_varint_get(p, end, &got), 0);
	ck_assert_uint_eq(got, type);
	ck_assert_int_eq(ql_varint_get(p, end, len), 0);
}

/* It is a HEADERS frame of these fields, and a head for so much content. */
static void expect(const uint8_t *p, size_t size, const nghttp3_nv *nv, size_t n, uint64_t content)
{
	const uint8_t *end = p + size, *section;
	nghttp3_qpack_stream_context *context;
	nghttp3_qpack_decoder *decoder;
	uint64_t len, content_len;
	uint8_t flags = 0;
	size_t i = 0;

	take_head(&p, end, 1, &len);
	ck_assert_uint_le(len, (uint64_t)(end - p));
	section = p + len;
	/* no insert is required (RFC 9204, 4.5.1) */
	ck_assert_uint_eq(p[0], 0);
	ck_assert_uint_eq(p[1], 0);
	ck_assert_int_eq(nghttp3_qpack_decoder_new(&decoder, 0, 0, nghttp3_mem_default()), 0);
	ck_assert_int_eq(nghttp3_qpack_stream_context_new(&context, 0, nghttp3_mem_default()), 0);
	for (;;) {
		nghttp3_qpack_nv got;
		nghttp3_ssize read = nghttp3_qpack_decoder_read_request(
			decoder, context, &got, &flags, p, (size_t)(section - p), 1);

		ck_assert_int_ge(read, 0);
		p += read;
		if (flags & NGHTTP3_QPACK_DECODE_FLAG_EMIT) {
			nghttp3_vec name = nghttp3_rcbuf_get_buf(got.name);
			nghttp3_vec value = nghttp3_rcbuf_get_buf(got.value);

			ck_assert_uint_lt(i, n);
			ck_assert_uint_eq(name.len, nv[i].namelen);
			ck_assert_mem_eq(name.base, nv[i].name, name.len);
			ck_assert_uint_eq(value.len, nv[i].valuelen);
			if (value.len > 0)
				ck_assert_mem_eq(value.base, nv[i].value, value.len);
			i++;
			nghttp3_rcbuf_decref(got.name);
			nghttp3_rcbuf_decref(got.value);
		}
		if (flags & NGHTTP3_QPACK_DECODE_FLAG_FINAL)
			break;
	}
	ck_assert_uint_eq(i, n);
	ck_assert_ptr_eq(p, section);
	if (content > 0) {
		take_head(&p, end, 0, &content_len);
		ck_assert_uint_eq(content_len, content);
	}
	ck_assert_ptr_eq(p, end);
	nghttp3_qpack_stream_context_del(context);
	nghttp3_qpack_decoder_del(decoder);
}

static const nghttp3_nv response[] = {
	NV(":status", "200"),
	NV("date", "Sun, 22 Nov 2026 22:21:33 GMT"),
	NV("content-type", "text/html; charset=utf-8"),
	NV("x-of-nobody", "~~~ not worth a code of Huffman's ~~~"),
	NV("empty", ""),
};

/* One encoder, for all sizes of content and any order of sections. */
START_TEST(sections)
{
	static const uint64_t contents[] = {0, 1, 63, 64, 16383, 16384, 1 << 30, QL_VARINT_MAX};
	struct ql_http_encoder e = {0};
	const uint8_t *p;
	ssize_t len;

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		for (size_t n = 1; n <= sizeof(response) / sizeof(response[0]); n++) {
			len = ql_http_encode_headers(&e, response, n, contents[i], &p);
			ck_assert_int_gt(len, 0);
			expect(p, (size_t)len, response, n, contents[i]);
		}
	}
	/* the most frequent of all: type, length, prefix, an index */
	len = ql_http_encode_headers(&e, response, 1, 0, &p);
	ck_assert_int_eq(len, 5);
	ql_http_encoder_fini(&e);
	ck_assert_uint_eq(blocks, 0);
}
END_TEST

/* A large section does not stay. */
START_TEST(large)
{
	static char value[100000];
	struct ql_http_encoder e = {0};
	const uint8_t *p;
	ssize_t len;

	for (size_t n = 100; n < sizeof(value); n = n * 3 + 1) {
		nghttp3_nv nv[2];

		memset(value, 'a' + (char)(n % 26), n);
		value[n] = 0;
		nv[0] = response[0];
		nv[1] = (nghttp3_nv)NV("large", value);
		len = ql_http_encode_headers(&e, nv, 2, n, &p);
		ck_assert_int_gt(len, 0);
		expect(p, (size_t)len, nv, 2, n);
	}
	ck_assert_uint_gt(largest, QL_HTTP_ENCODER);
	len = ql_http_encode_headers(&e, response, 1, 0, &p);
	expect(p, (size_t)len, response, 1, 0);
	ck_assert_uint_le(largest, QL_HTTP_ENCODER);
	ql_http_encoder_fini(&e);
	ck_assert_uint_eq(blocks, 0);
}
END_TEST

/*
 * Each allocation fails once; the encoder is as good as new afterwards. But for the second: without
 * memory for its table nghttp3 0.8 loses that of the encoder.
 */
START_TEST(no_memory)
{
	struct ql_http_encoder e = {0};
	const uint8_t *p;
	ssize_t len = -ENOMEM;
	unsigned int n;

	for (n = 0; len < 0; n += n == 0 ? 2 : 1) {
		ck_assert_uint_lt(n, 100);
		left = n;
		len = ql_http_encode_headers(&e, response, 5, 1000, &p);
		left = UINT32_MAX;
		if (len < 0) {
			ck_assert_int_eq(len, -ENOMEM);
			ck_assert_uint_eq(blocks, 0);
		}
	}
	ck_assert_uint_gt(n, 3);
	expect(p, (size_t)len, response, 5, 1000);
	ql_http_encoder_fini(&e);
	ck_assert_uint_eq(blocks, 0);
}
END_TEST

START_TEST(data_heads)
{
	static const uint64_t contents[] = {1, 63, 64, 16383, 16384, 1 << 30, QL_VARINT_MAX};
	uint8_t bytes[QL_HTTP_FRAME_HEAD], *end = bytes + sizeof(bytes);

	for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
		const uint8_t *p = ql_http_encode_data_head(end, contents[i]);
		uint64_t len;

		ck_assert(p >= bytes);
		take_head(&p, end, 0, &len);
		ck_assert_uint_eq(len, contents[i]);
		ck_assert_ptr_eq(p, end);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("http3/encode");
	TCase *t = tcase_create("encode");
	SRunner *r;
	int failed;

	tcase_add_test(t, sections);
	tcase_add_test(t, large);
	tcase_add_test(t, no_memory);
	tcase_add_test(t, data_heads);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
