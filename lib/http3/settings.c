// SPDX-License-Identifier: BSD-3-Clause
#include "http3/settings.h"

#include <string.h>

#include <qlane/http3.h>

#include "wire/bytes.h"
#include "wire/varint.h"

/* Identifiers: RFC 9114, 7.2.4.1; RFC 9204, 5. */
#define QPACK_MAX_TABLE_CAPACITY 0x1
#define MAX_FIELD_SECTION_SIZE	 0x6
#define QPACK_BLOCKED_STREAMS	 0x7

#define QPACK_DECODER_STREAM_ERROR 0x202

static const char mark[4] = "h3s1";

void ql_http_settings_begin(struct ql_http_settings_reader *r)
{
	*r = (struct ql_http_settings_reader){.values.max_field_section_size = UINT64_MAX};
}

static void set(struct ql_http_settings *s, uint64_t id, uint64_t value)
{
	switch (id) {
	case QPACK_MAX_TABLE_CAPACITY:
		s->qpack_capacity = value;
		break;
	case MAX_FIELD_SECTION_SIZE:
		s->max_field_section_size = value;
		break;
	case QPACK_BLOCKED_STREAMS:
		s->qpack_blocked = value;
		break;
	}
}

/* False when it was there already; of many identifiers the first ones are remembered. */
static bool note(struct ql_http_settings_reader *r, uint64_t id)
{
	for (unsigned int i = 0; i < r->n_seen; i++) {
		if (r->seen[i] == id)
			return false;
	}
	if (r->n_seen < QL_HTTP_SETTINGS_SEEN)
		r->seen[r->n_seen++] = id;
	r->id = id;
	return true;
}

bool ql_http_settings_read(struct ql_http_settings_reader *r, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		const uint8_t *p = r->kept;
		uint64_t v;

		r->kept[r->have++] = data[i];
		if (ql_varint_get(&p, r->kept + r->have, &v) < 0)
			continue;
		r->have = 0;
		if (r->in_value)
			set(&r->values, r->id, v);
		else if (!note(r, v))
			return false;
		r->in_value = !r->in_value;
	}
	return true;
}

uint64_t ql_http_settings_check(const struct ql_http_settings *old,
				const struct ql_http_settings *now)
{
	/* an encoder that used the table could not go on with another one */
	if (old->qpack_capacity > 0 && now->qpack_capacity != old->qpack_capacity)
		return QPACK_DECODER_STREAM_ERROR;
	if (now->qpack_blocked < old->qpack_blocked ||
	    now->max_field_section_size < old->max_field_section_size)
		return QL_H3_SETTINGS_ERROR;
	return 0;
}

void ql_http_settings_put(const struct ql_http_settings *s, uint8_t *p)
{
	p = ql_put_be64(p, s->max_field_section_size);
	p = ql_put_be64(p, s->qpack_capacity);
	p = ql_put_be64(p, s->qpack_blocked);
	memcpy(p, mark, sizeof(mark));
}

bool ql_http_settings_take(struct ql_http_settings *s, const uint8_t *session, size_t *len)
{
	const uint8_t *p;

	if (*len < QL_HTTP_SETTINGS_TAIL)
		return false;
	p = session + *len - QL_HTTP_SETTINGS_TAIL;
	if (memcmp(p + 3 * 8, mark, sizeof(mark)) != 0)
		return false;
	s->max_field_section_size = ql_get_be64(p);
	s->qpack_capacity = ql_get_be64(p + 8);
	s->qpack_blocked = ql_get_be64(p + 16);
	*len -= QL_HTTP_SETTINGS_TAIL;
	return true;
}
