// SPDX-License-Identifier: BSD-3-Clause
/*
 * JSON into a buffer of the caller's: as fast as there is need for, and never behind its end.
 *
 *	struct ql_json j = {.p = buf, .end = buf + sizeof(buf)};
 *	ql_json_open(&j, NULL, '{');
 *	ql_json_str(&j, "name", "x");
 *	ql_json_open(&j, "list", '[');
 *	ql_json_u64(&j, NULL, 1);
 *	ql_json_close(&j, ']');
 *	ql_json_close(&j, '}');
 *	if (!j.full) the text is [buf, j.p)
 *
 * key is NULL for the elements of an array. Keys and strings given as such are constants of ours
 * and need no quoting; what comes from elsewhere goes through ql_json_text().
 */
#ifndef QL_OBSERVE_JSON_H
#define QL_OBSERVE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct ql_json {
	char *p, *end;
	bool begun; /* something has been written */
	bool full;  /* there was no room: what is there is no JSON */
};

static inline void ql_json_raw(struct ql_json *j, const char *s, size_t len)
{
	if ((size_t)(j->end - j->p) < len) {
		j->full = true;
		j->p = j->end;
		return;
	}
	memcpy(j->p, s, len);
	j->p += len;
	j->begun = true;
}

static inline void ql_json_char(struct ql_json *j, char c)
{
	ql_json_raw(j, &c, 1);
}

/* What stands before a value: a comma if it is not the first one, and its key. */
static inline void ql_json_key(struct ql_json *j, const char *key)
{
	if (j->begun && j->p[-1] != '{' && j->p[-1] != '[')
		ql_json_char(j, ',');
	if (!key)
		return;
	ql_json_char(j, '"');
	ql_json_raw(j, key, strlen(key));
	ql_json_raw(j, "\":", 2);
}

/* bracket: '{' or '['; and '}' or ']'. */
static inline void ql_json_open(struct ql_json *j, const char *key, char bracket)
{
	ql_json_key(j, key);
	ql_json_char(j, bracket);
}

static inline void ql_json_close(struct ql_json *j, char bracket)
{
	ql_json_char(j, bracket);
}

static inline void ql_json_bool(struct ql_json *j, const char *key, bool v)
{
	ql_json_key(j, key);
	ql_json_raw(j, v ? "true" : "false", v ? 4 : 5);
}

static inline void ql_json_str(struct ql_json *j, const char *key, const char *s)
{
	ql_json_key(j, key);
	ql_json_char(j, '"');
	ql_json_raw(j, s, strlen(s));
	ql_json_char(j, '"');
}

void ql_json_u64(struct ql_json *j, const char *key, uint64_t v);
/* ns, as milliseconds with all their digits. */
void ql_json_ms(struct ql_json *j, const char *key, uint64_t ns);
/* A string of hexadecimal digits. */
void ql_json_hex(struct ql_json *j, const char *key, const void *data, size_t len);
/* Bytes that somebody else chose, perhaps no text: what is not printable ASCII becomes '?'. */
void ql_json_text(struct ql_json *j, const char *key, const void *text, size_t len);
/* "protocol_violation" for "PROTOCOL_VIOLATION": a constant of ours. */
void ql_json_lower(struct ql_json *j, const char *key, const char *s);

#endif /* QL_OBSERVE_JSON_H */
