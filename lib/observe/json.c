// SPDX-License-Identifier: BSD-3-Clause
#include "observe/json.h"

#include <ctype.h>

static void put_u64(struct ql_json *j, uint64_t v)
{
	char text[20], *p = text + sizeof(text);

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	ql_json_raw(j, p, (size_t)(text + sizeof(text) - p));
}

void ql_json_u64(struct ql_json *j, const char *key, uint64_t v)
{
	ql_json_key(j, key);
	put_u64(j, v);
}

void ql_json_ms(struct ql_json *j, const char *key, uint64_t ns)
{
	uint64_t rest = ns % 1000000;
	char text[7] = ".000000";

	ql_json_key(j, key);
	put_u64(j, ns / 1000000);
	if (rest == 0)
		return;
	for (char *p = text + sizeof(text) - 1; rest > 0; rest /= 10)
		*p-- = (char)('0' + rest % 10);
	ql_json_raw(j, text, sizeof(text));
}

void ql_json_hex(struct ql_json *j, const char *key, const void *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *d = data;

	ql_json_key(j, key);
	ql_json_char(j, '"');
	for (size_t i = 0; i < len; i++) {
		ql_json_char(j, digits[d[i] >> 4]);
		ql_json_char(j, digits[d[i] & 15]);
	}
	ql_json_char(j, '"');
}

void ql_json_text(struct ql_json *j, const char *key, const void *text, size_t len)
{
	const char *s = text;

	ql_json_key(j, key);
	ql_json_char(j, '"');
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '"' || s[i] == '\\')
			ql_json_char(j, '\\');
		ql_json_char(j, (char)(s[i] >= 0x20 && s[i] < 0x7f ? s[i] : '?'));
	}
	ql_json_char(j, '"');
}

void ql_json_lower(struct ql_json *j, const char *key, const char *s)
{
	ql_json_key(j, key);
	ql_json_char(j, '"');
	for (; *s; s++)
		ql_json_char(j, (char)tolower((unsigned char)*s));
	ql_json_char(j, '"');
}
