// SPDX-License-Identifier: BSD-3-Clause
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "observe/counters.h"

struct report {
	FILE *out;
	const char *group; /* of the line before */
	int rc;
};

__attribute__((format(printf, 2, 3))) static void put(struct report *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	errno = 0;
	if (vfprintf(r->out, fmt, ap) < 0 && r->rc == 0)
		r->rc = errno ? -errno : -EIO;
	va_end(ap);
}

static bool next_group(struct report *r, const char *group)
{
	bool next = !r->group || strcmp(r->group, group) != 0;

	r->group = group;
	return next;
}

static bool is_drop(const char *group)
{
	return strstr(group, "_drops") != NULL;
}

static void text_line(void *arg, const char *group, const char *name, uint64_t value)
{
	struct report *r = arg;

	if (is_drop(group) && value == 0)
		return;
	if (next_group(r, group))
		put(r, "  %s\n", group);
	put(r, "    %-22s %20" PRIu64 "\n", name, value);
}

static void json_member(void *arg, const char *group, const char *name, uint64_t value)
{
	struct report *r = arg;
	bool first = r->group == NULL;

	if (next_group(r, group))
		put(r, "%s\"%s\":{", first ? "," : "},", group);
	else
		put(r, ",");
	put(r, "\"%s\":%" PRIu64, name, value);
}

static int finish(struct report *r)
{
	if (fflush(r->out) != 0 && r->rc == 0)
		r->rc = -errno;
	return r->rc;
}

int ql_report_text(FILE *out, const struct ql_observed *what)
{
	struct report r = {.out = out};

	put(&r, "%s\n", what->name);
	ql_counters_walk(what, text_line, &r);
	return finish(&r);
}

int ql_report_json(FILE *out, const struct ql_observed *what)
{
	struct report r = {.out = out};

	if (!ql_observed_name_ok(what->name)) /* needs no quoting */
		return -EINVAL;
	put(&r, "{\"name\":\"%s\"", what->name);
	ql_counters_walk(what, json_member, &r);
	put(&r, r.group ? "}}\n" : "}\n");
	return finish(&r);
}
