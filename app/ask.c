// SPDX-License-Identifier: BSD-3-Clause
#include "ask.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct ql_asked *asked, const char *name, const char *value)
{
	asked->fields[asked->n++] = (struct ql_http_field){name, value};
}

void ql_ask(const struct ql_ask *ask, const struct ql_have *have, struct ql_asked *asked)
{
	asked->n = 0;
	for (unsigned int i = 0; i < ask->headers.n; i++)
		asked->fields[asked->n++] = ask->headers.at[i];
	if (ask->range) {
		snprintf(asked->range, sizeof(asked->range), "bytes=%s", ask->range);
		add(asked, "range", asked->range);
	} else if (ask->resume && have->part > 0) {
		/* of another file than the part is from, all is sent */
		snprintf(asked->range, sizeof(asked->range), "bytes=%" PRIu64 "-", have->part);
		ql_http_date(have->part_modified, asked->if_range);
		add(asked, "range", asked->range);
		add(asked, "if-range", asked->if_range);
	}
	if (ask->newer && have->whole) {
		ql_http_date(have->modified, asked->since);
		add(asked, "if-modified-since", asked->since);
	}
}

/* "bytes FIRST-LAST/SIZE" and "bytes * /SIZE"; -1 for what is not there. */
static bool read_content_range(const char *text, int64_t *first, int64_t *size)
{
	char *end;

	*first = *size = -1;
	if (!text || strncasecmp(text, "bytes ", 6) != 0)
		return false;
	text += 6;
	if (*text == '*') {
		text++;
	} else {
		if (!isdigit((unsigned char)*text))
			return false;
		*first = strtoll(text, &end, 10);
		text = end + strcspn(end, "/");
	}
	if (*text++ != '/')
		return false;
	if (isdigit((unsigned char)*text))
		*size = strtoll(text, NULL, 10);
	return true;
}

enum ql_answer ql_ask_answer(const struct ql_ask *ask, const struct ql_have *have,
			     unsigned int status, const char *content_range)
{
	const bool resumed = !ask->range && ask->resume && have->part > 0;
	int64_t first, size;

	switch (status) {
	case 200:
		return ask->range ? QL_ANSWER_NO : QL_ANSWER_ALL;
	case 206:
		if (ask->range)
			return QL_ANSWER_ALL;
		if (!resumed || !read_content_range(content_range, &first, &size))
			return QL_ANSWER_NO;
		return first == (int64_t)have->part ? QL_ANSWER_REST : QL_ANSWER_NO;
	case 304:
		return ask->newer && have->whole ? QL_ANSWER_SAME : QL_ANSWER_NO;
	case 416: /* nothing is missing */
		return resumed && read_content_range(content_range, &first, &size) &&
				       size == (int64_t)have->part
			       ? QL_ANSWER_DONE
			       : QL_ANSWER_NO;
	default:
		return QL_ANSWER_NO;
	}
}

/* ---- Options ---- */

const char *ql_option_priority(const struct ql_option *option, void *to, const char *value)
{
	struct ql_ask_priority priority = {.given = true, .p = {.urgency = 3}};
	const char *p = value;
	bool good = true;

	(void)option;
	if (p[0] == 'u' && p[1] == '=' && p[2] >= '0' && p[2] <= '7') {
		priority.p.urgency = (uint8_t)(p[2] - '0');
		p += 3;
		if (p[0] == ',')
			p += 1 + strspn(p + 1, " ");
		else
			good = p[0] == 0;
	}
	if (p[0] == 'i') {
		priority.p.incremental = true;
		p++;
	}
	if (!good || p[0] != 0 || p == value || p[-1] == ',')
		return "an urgency from 0, most urgent, to 7, and an i for incremental, such as "
		       "u=1, u=5,i or i";
	*(struct ql_ask_priority *)to = priority;
	return NULL;
}

const char *ql_option_range(const struct ql_option *option, void *to, const char *value)
{
	size_t first = strspn(value, "0123456789");
	size_t last = value[first] == '-' ? strspn(value + first + 1, "0123456789") : 0;

	(void)option;
	if (value[first] != '-' || value[first + 1 + last] != 0 || first + last == 0 ||
	    first > 18 || last > 18 ||
	    (first && last && strtoull(value, NULL, 10) > strtoull(value + first + 1, NULL, 10)))
		return "bytes from 0 on, such as 0-99, 1000- or, for the last 500, -500";
	*(const char **)to = value;
	return NULL;
}

const char *ql_option_header(const struct ql_option *option, void *to, const char *value)
{
	struct ql_ask_headers *h = to;
	size_t len = strcspn(value, ":");
	char *name = h->names[h->n % QL_ASK_HEADERS];

	(void)option;
	if (len == 0 || len >= QL_ASK_NAME || value[len] != ':' || strpbrk(value, "\r\n"))
		return "a field, such as 'accept: text/html'";
	if (h->n == QL_ASK_HEADERS)
		return "no more than 16 of them";
	for (size_t i = 0; i < len; i++)
		name[i] = (char)tolower((unsigned char)value[i]);
	name[len] = 0;
	value += len + 1;
	h->at[h->n++] = (struct ql_http_field){name, value + strspn(value, " \t")};
	return NULL;
}
