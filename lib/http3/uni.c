// SPDX-License-Identifier: BSD-3-Clause
#include "http3/uni.h"

#include <errno.h>
#include <string.h>

#include "wire/varint.h"

#define STREAM_CONTROL 0x00

#define FRAME_CANCEL_PUSH	   0x3
#define FRAME_SETTINGS		   0x4
#define FRAME_GOAWAY		   0x7
#define FRAME_MAX_PUSH_ID	   0xd
#define FRAME_PRIORITY_UPDATE	   0xf0700
#define FRAME_PRIORITY_UPDATE_PUSH 0xf0701

static ssize_t give_kept(struct ql_http_uni *uni, const uint8_t **out)
{
	ssize_t n = uni->have;

	*out = uni->kept;
	uni->have = 0;
	return n;
}

/* Move one byte of the input to what is kept. */
static void keep(struct ql_http_uni *uni, const uint8_t **data, size_t *len)
{
	uni->kept[uni->have++] = *(*data)++;
	(*len)--;
}

/* The kept bytes start with n varints; false when they are not complete. */
static bool varints(const struct ql_http_uni *uni, uint64_t *v, int n)
{
	const uint8_t *p = uni->kept, *end = uni->kept + uni->have;

	for (int i = 0; i < n; i++) {
		if (ql_varint_get(&p, end, &v[i]) < 0)
			return false;
	}
	return true;
}

static ssize_t stream_type(struct ql_http_uni *uni, const uint8_t **data, size_t *len,
			   const uint8_t **out)
{
	uint64_t type;

	while (*len > 0) {
		keep(uni, data, len);
		if (varints(uni, &type, 1)) {
			uni->state =
				type == STREAM_CONTROL ? QL_HTTP_UNI_CONTROL : QL_HTTP_UNI_OTHER;
			return give_kept(uni, out);
		}
	}
	return 0;
}

/* Frames that are passed on whole; the most bytes of payload that they may have, 0 for others. */
static size_t most_of(uint64_t type)
{
	switch (type) {
	case FRAME_CANCEL_PUSH:
	case FRAME_GOAWAY:
	case FRAME_MAX_PUSH_ID:
		return QL_VARINT_MAX_SIZE;
	case FRAME_PRIORITY_UPDATE:
	case FRAME_PRIORITY_UPDATE_PUSH:
		return QL_HTTP_UNI_VALUE;
	default:
		return 0;
	}
}

/* A whole frame is kept: an ID, and only for PRIORITY_UPDATE more than that. */
static ssize_t give_frame(struct ql_http_uni *uni, const uint8_t **out)
{
	uint64_t v[3]; /* type, length, ID */
	const uint8_t *p = uni->kept, *end = p + uni->have;

	for (int i = 0; i < 3; i++) {
		if (ql_varint_get(&p, end, &v[i]) < 0)
			return -EBADMSG;
	}
	if (p < end && most_of(v[0]) == QL_VARINT_MAX_SIZE)
		return -EBADMSG;
	return give_kept(uni, out);
}

/* One that was passed on as it came. */
static void end_frame(struct ql_http_uni *uni)
{
	uni->state = QL_HTTP_UNI_CONTROL;
	uni->settings_complete |= uni->in_settings;
	uni->in_settings = false;
}

static ssize_t frame(struct ql_http_uni *uni, const uint8_t **data, size_t *len,
		     const uint8_t **out)
{
	uint64_t head[2]; /* type and length */
	size_t n, most;

	while (uni->left == 0 && *len > 0) {
		keep(uni, data, len);
		if (!varints(uni, head, 2))
			continue;
		uni->left = head[1];
		most = most_of(head[0]);
		if (most == 0) {
			uni->in_settings = head[0] == FRAME_SETTINGS;
			if (uni->in_settings)
				ql_http_settings_begin(&uni->settings);
			if (uni->left > 0)
				uni->state = QL_HTTP_UNI_PAYLOAD;
			else
				end_frame(uni);
			return give_kept(uni, out);
		}
		if (uni->left == 0 || uni->left > most)
			return uni->left && most == QL_HTTP_UNI_VALUE ? -EMSGSIZE : -EBADMSG;
	}
	n = uni->left < *len ? (size_t)uni->left : *len;
	if (n == 0)
		return 0;
	memcpy(uni->kept + uni->have, *data, n);
	uni->have += (uint16_t)n;
	uni->left -= n;
	*data += n;
	*len -= n;
	return uni->left == 0 ? give_frame(uni, out) : 0;
}

ssize_t ql_http_uni_next(struct ql_http_uni *uni, const uint8_t **data, size_t *len,
			 const uint8_t **out)
{
	size_t n = *len;

	if (n == 0)
		return 0;
	switch (uni->state) {
	case QL_HTTP_UNI_TYPE:
		return stream_type(uni, data, len, out);
	case QL_HTTP_UNI_CONTROL:
		return frame(uni, data, len, out);
	case QL_HTTP_UNI_PAYLOAD:
		if (n > uni->left)
			n = (size_t)uni->left;
		if (uni->in_settings && !ql_http_settings_read(&uni->settings, *data, n))
			return -EEXIST;
		uni->left -= n;
		if (uni->left == 0)
			end_frame(uni);
		break;
	default:
		break;
	}
	*out = *data;
	*data += n;
	*len -= n;
	return (ssize_t)n;
}
