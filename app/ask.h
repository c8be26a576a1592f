// SPDX-License-Identifier: BSD-3-Clause
/*
 * What a request of qlane-client says beside its URL, and what the answer means for the file that
 * is to be written: a priority (RFC 9218), conditions and ranges (RFC 9110, 13 and 14), and fields
 * that the user wants.
 */
#ifndef QL_APP_ASK_H
#define QL_APP_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <qlane/http3.h>

#include "options.h"
#include "outfile.h"
#include "select.h"

#define QL_ASK_HEADERS 16 /* fields of the user's */
#define QL_ASK_NAME    64 /* bytes of the name of one, with its zero byte */

/* Names are kept here: what was read stays where it is, copies refer to it. */
struct ql_ask_headers {
	struct ql_http_field at[QL_ASK_HEADERS];
	char names[QL_ASK_HEADERS][QL_ASK_NAME];
	unsigned int n;
};

struct ql_ask_priority {
	bool given;
	struct ql_http_priority p;
};

/* What is wanted of all files. */
struct ql_ask {
	struct ql_ask_priority priority;
	const char *range; /* "0-99"; NULL: all of it */
	bool newer;	   /* only if it is another one than the file that is there */
	bool resume;	   /* only what is missing of what is there */
	struct ql_ask_headers headers;
};

/* Room for the fields of one request, and for their values. */
struct ql_asked {
	struct ql_http_field fields[QL_ASK_HEADERS + 3];
	size_t n;
	char range[48], since[QL_HTTP_DATE], if_range[QL_HTTP_DATE];
};

enum ql_answer {
	QL_ANSWER_ALL,	/* what follows is the file, or what of it was wanted */
	QL_ANSWER_REST, /* what follows goes behind ql_have.part */
	QL_ANSWER_DONE, /* what is there as a part is the file */
	QL_ANSWER_SAME, /* what is there is the file */
	QL_ANSWER_NO,	/* nothing that can be taken */
};

/* The fields of a request, which are valid as long as asked and ask are. */
void ql_ask(const struct ql_ask *ask, const struct ql_have *have, struct ql_asked *asked);

/* content_range: the field of that name, or NULL. */
enum ql_answer ql_ask_answer(const struct ql_ask *ask, const struct ql_have *have,
			     unsigned int status, const char *content_range);

/* Setters of options, for struct ql_ask_priority, const char * and struct ql_ask_headers. */
const char *ql_option_priority(const struct ql_option *option, void *to, const char *value);
const char *ql_option_range(const struct ql_option *option, void *to, const char *value);
const char *ql_option_header(const struct ql_option *option, void *to, const char *value);

#endif /* QL_APP_ASK_H */
