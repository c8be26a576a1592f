// SPDX-License-Identifier: BSD-3-Clause
/*
 * What of a file a request is answered with: conditions (RFC 9110, section 13) and ranges (14).
 *
 * Of ranges one in bytes is served; a request for several gets the whole file, as the RFC allows.
 */
#ifndef QL_APP_SELECT_H
#define QL_APP_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define QL_HTTP_DATE 30 /* bytes of a date, with the zero byte */
#define QL_ETAG	     40 /* of an entity tag of ours */

/* The fields of a GET or HEAD; NULL for those that it has not. */
struct ql_select {
	const char *if_match, *if_unmodified_since, *if_none_match, *if_modified_since;
	const char *range, *if_range; /* NULL in a HEAD */
};

/* What the file is at the moment. */
struct ql_selectable {
	uint64_t size;
	time_t modified, now;
	const char *etag; /* strong, with its quotes */
};

struct ql_selected {
	unsigned int status; /* 200; 206 a part; 304, 412 or 416: none of it */
	uint64_t first, len; /* with 200 and 206 */
};

struct ql_selected ql_select(const struct ql_select *want, const struct ql_selectable *file);

/* A file's tag changes whenever its size or its time does. */
void ql_etag(const struct timespec *modified, uint64_t size, char out[QL_ETAG]);

/* As "Sun, 06 Nov 1994 08:49:37 GMT". */
void ql_http_date(time_t t, char out[QL_HTTP_DATE]);
/* Any of the three forms of RFC 9110, 5.6.7; now: for years of two digits. */
bool ql_http_date_parse(const char *text, time_t now, time_t *t);

#endif /* QL_APP_SELECT_H */
