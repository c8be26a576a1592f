// SPDX-License-Identifier: BSD-3-Clause
#include "options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cfgfile.h>

#include <qlane/tls.h>

const char *ql_program = "qlane";

void ql_complain(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "%s: ", ql_program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* Setters. */

static const char *range(const struct ql_option *option, const char *what)
{
	static char text[96];

	snprintf(text, sizeof(text), "%s from %llu to %llu", what, (unsigned long long)option->min,
		 (unsigned long long)option->max);
	return text;
}

/* A number in the option's range, perhaps with a unit; NULL, or what is expected. */
static const char *number(const struct ql_option *option, const char *value, bool units,
			  uint64_t *n)
{
	const char *expected = range(option, units ? "a number (k, M, G: thousands)" : "a number");
	uint64_t scale = 1;
	char *end;

	if (!isdigit((unsigned char)value[0]))
		return expected;
	errno = 0;
	*n = strtoull(value, &end, 10);
	if (units && *end) {
		scale = *end == 'k' ? 1000 : *end == 'M' ? 1000000 : *end == 'G' ? 1000000000 : 0;
		end++;
	}
	if (errno || *end || scale == 0 || *n > UINT64_MAX / scale)
		return expected;
	*n *= scale;
	return *n < option->min || *n > option->max ? expected : NULL;
}

const char *ql_option_flag(const struct ql_option *option, void *to, const char *value)
{
	(void)option;
	/* only INI files give a flag a value */
	if (!value || strcmp(value, "yes") == 0)
		*(bool *)to = true;
	else if (strcmp(value, "no") == 0)
		*(bool *)to = false;
	else
		return "yes or no";
	return NULL;
}

const char *ql_option_string(const struct ql_option *option, void *to, const char *value)
{
	(void)option;
	if (value[0] == 0)
		return "something";
	*(const char **)to = value;
	return NULL;
}

const char *ql_option_u16(const struct ql_option *option, void *to, const char *value)
{
	uint64_t n;
	const char *wrong = number(option, value, false, &n);

	if (!wrong)
		*(uint16_t *)to = (uint16_t)n;
	return wrong;
}

const char *ql_option_u32(const struct ql_option *option, void *to, const char *value)
{
	uint64_t n;
	const char *wrong = number(option, value, false, &n);

	if (!wrong)
		*(uint32_t *)to = (uint32_t)n;
	return wrong;
}

const char *ql_option_u64(const struct ql_option *option, void *to, const char *value)
{
	uint64_t n;
	const char *wrong = number(option, value, true, &n);

	if (!wrong)
		*(uint64_t *)to = n;
	return wrong;
}

/* The next word of a list that is separated by commas or blanks; false at its end. */
static bool next_word(const char **at, char word[QL_ADDR_STRLEN + 8])
{
	size_t len;

	*at += strspn(*at, ", \t");
	len = strcspn(*at, ", \t");
	if (len == 0)
		return false;
	snprintf(word, QL_ADDR_STRLEN + 8, "%.*s", (int)len, *at);
	*at += len;
	return true;
}

const char *ql_option_ifaddrs(const struct ql_option *option, void *to, const char *value)
{
	static const char expected[] = "an address with a prefix length, such as 10.9.0.2/24";
	char word[QL_ADDR_STRLEN + 8];
	struct ql_ifaddrs *list = to;
	unsigned int n = list->n;

	(void)option;
	while (next_word(&value, word)) {
		if (list->n == QL_PORT_ADDRS)
			return "at most 16 addresses";
		if (ql_ifaddr_parse(word, &list->at[list->n]) < 0)
			return expected;
		list->n++;
	}
	return list->n == n ? expected : NULL;
}

const char *ql_option_gateways(const struct ql_option *option, void *to, const char *value)
{
	static const char expected[] = "an address, such as 10.9.0.1";
	char word[QL_ADDR_STRLEN + 8];
	struct ql_gateways *list = to;
	unsigned int n = list->n;

	(void)option;
	while (next_word(&value, word)) {
		if (list->n == QL_PORT_GATEWAYS)
			return "at most one gateway for IPv4 and one for IPv6";
		if (ql_addr_parse(word, 0, &list->at[list->n]) < 0)
			return expected;
		list->n++;
	}
	return list->n == n ? expected : NULL;
}

const char *ql_option_congestion(const struct ql_option *option, void *to, const char *value)
{
	static const char *const names[] = {
		[QL_CC_NEWRENO] = "newreno", [QL_CC_CUBIC] = "cubic", [QL_CC_BBR] = "bbr"};

	(void)option;
	for (int i = QL_CC_NEWRENO; i <= QL_CC_BBR; i++) {
		if (strcmp(value, names[i]) == 0) {
			*(enum ql_congestion *)to = (enum ql_congestion)i;
			return NULL;
		}
	}
	return "newreno, cubic or bbr";
}

/* The number of a version of QUIC by its name; 0 if it is none. */
static uint32_t quic_version(const char *name)
{
	if (strcmp(name, "1") == 0)
		return QL_VERSION_1;
	return strcmp(name, "2") == 0 ? QL_VERSION_2 : 0;
}

const char *ql_option_versions(const struct ql_option *option, void *to, const char *value)
{
	uint32_t list[QL_VERSIONS_MAX] = {0};
	char word[QL_ADDR_STRLEN + 8];
	unsigned int n = 0;

	(void)option;
	while (next_word(&value, word)) {
		uint32_t version = quic_version(word);

		if (version == 0 || (n > 0 && list[0] == version) || n == 2)
			return "1 or 2, or both with a comma, the preferred one first";
		list[n++] = version;
	}
	if (n == 0)
		return "1 or 2, or both with a comma, the preferred one first";
	memcpy(to, list, sizeof(list));
	return NULL;
}

const char *ql_option_version(const struct ql_option *option, void *to, const char *value)
{
	uint32_t version = quic_version(value);

	(void)option;
	if (version == 0)
		return "1 or 2";
	*(uint32_t *)to = version;
	return NULL;
}

const char *ql_option_suites(const struct ql_option *option, void *to, const char *value)
{
	static const struct {
		const char *name;
		unsigned int bit;
	} suites[] = {{"aes128", QL_SUITE_AES128_GCM},
		      {"aes256", QL_SUITE_AES256_GCM},
		      {"chacha20", QL_SUITE_CHACHA20}};
	char word[QL_ADDR_STRLEN + 8];
	unsigned int bits = 0, before;

	(void)option;
	while (next_word(&value, word)) {
		before = bits;
		for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++)
			bits |= strcmp(word, suites[i].name) == 0 ? suites[i].bit : 0;
		if (bits == before)
			return "aes128, aes256, chacha20, or some of them with commas";
	}
	*(unsigned int *)to = bits;
	return NULL;
}

const char *ql_option_endpoints(const struct ql_option *option, void *to, const char *value)
{
	static const char expected[] =
		"an address with its port, such as 10.9.0.3:4433, of each family at most one";
	char word[QL_ADDR_STRLEN + 8];
	struct ql_endpoints *ends = to;
	struct ql_addr addr, *end;

	(void)option;
	while (next_word(&value, word)) {
		if (ql_addr_parse(word, 0, &addr) < 0 || addr.port == 0)
			return expected;
		end = ql_addr_is_ip4(&addr) ? &ends->ip4 : &ends->ip6;
		if (end->port)
			return expected;
		*end = addr;
	}
	return NULL;
}

const char *ql_option_alpns(const struct ql_option *option, void *to, const char *value)
{
	static const char *const good[] = {"h3", "hq-interop", "h3,hq-interop", "hq-interop,h3"};

	(void)option;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		if (strcmp(value, good[i]) == 0) {
			*(const char **)to = good[i];
			return NULL;
		}
	}
	return "h3, hq-interop, or both with a comma";
}

/* Reading. */

int ql_args_begin(int argc, char **argv, const char *usage, void (*help)(void))
{
	bool helps = false, version = false;
	int ours = argc;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--") == 0 && ours == argc)
			ours = i + 1;
		helps = helps || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
		version = version || strcmp(argv[i], "--version") == 0;
	}
	if (version)
		printf("%s %s\n", ql_program, ql_version());
	else if (helps)
		help();
	if (version || helps)
		return 0;
	if (ours == argc && usage) {
		ql_complain("usage: %s %s; --help says more", ql_program, usage);
		return -1;
	}
	return ours;
}

static const struct ql_option *find(const struct ql_option *table, const char *name, size_t len)
{
	for (const struct ql_option *o = table; o->name; o++) {
		if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

static const char *set(const struct ql_option *option, void *to, const char *value)
{
	return option->set(option, (char *)to + option->offset, value);
}

/* Values of INI files: options keep pointers to them, and the library's copies go with the file. */
struct kept {
	struct kept *next;
	char value[];
};

static struct kept *kept_values;

static const char *keep(const char *value)
{
	size_t size = strlen(value) + 1;
	struct kept *k = malloc(sizeof(*k) + size);

	if (!k)
		return NULL;
	memcpy(k->value, value, size);
	k->next = kept_values;
	kept_values = k;
	return k->value;
}

static int read_entry(const struct ql_option *table, void *to, const char *file,
		      const char *section, const struct rte_cfgfile_entry *entry)
{
	const struct ql_option *o = find(table, entry->name, strlen(entry->name));
	const char *wrong, *value;

	if (!o) {
		ql_complain("%s: [%s] has a key '%s', which nothing here knows; --help lists the "
			    "names",
			    file, section, entry->name);
		return -1;
	}
	value = keep(entry->value);
	if (!value)
		return -1;
	wrong = set(o, to, value);
	if (!wrong)
		return 0;
	ql_complain("%s: [%s] %s = %s: expected %s", file, section, entry->name, value, wrong);
	return -1;
}

static int read_file(const struct ql_option *table, void *to, const char *file, const char *section)
{
	struct rte_cfgfile_entry *entries;
	struct rte_cfgfile *cfg;
	int n, rc = 0;

	if (access(file, R_OK) != 0) {
		ql_complain("--config %s: %s", file, strerror(errno));
		return -1;
	}
	cfg = rte_cfgfile_load(file, 0);
	if (!cfg) {
		ql_complain("%s: not an INI file: a section '[%s]', then lines 'name = value', "
			    "and comments from ';' on",
			    file, section);
		return -1;
	}
	n = rte_cfgfile_num_sections(cfg, NULL, 0);
	if (n != 1 || !rte_cfgfile_has_section(cfg, section)) {
		ql_complain("%s: expected one section, '[%s]'", file, section);
		rc = -1;
	}
	n = rc == 0 ? rte_cfgfile_section_num_entries(cfg, section) : 0;
	entries = calloc(n + 1, sizeof(*entries));
	if (!entries)
		rc = -1;
	else if (n > 0)
		n = rte_cfgfile_section_entries(cfg, section, entries, n);
	for (int i = 0; i < n && rc == 0; i++)
		rc = read_entry(table, to, file, section, &entries[i]);
	free(entries);
	rte_cfgfile_close(cfg);
	return rc;
}

int ql_options_read(const struct ql_option *table, void *to, const char *section, int argc,
		    char **argv, char **rest)
{
	int n = 0;

	for (int i = 0; i < argc; i++) {
		const char *name = argv[i] + 2, *value, *wrong;
		const struct ql_option *o;
		size_t len;
		bool config;

		if (strncmp(argv[i], "--", 2) != 0) {
			if (rest && argv[i][0] != '-') {
				rest[n++] = argv[i];
				continue;
			}
			ql_complain("'%s' is no option; --help lists them", argv[i]);
			return -1;
		}
		len = strcspn(name, "=");
		value = name[len] == '=' ? name + len + 1 : NULL;
		config = len == 6 && memcmp(name, "config", 6) == 0;
		o = find(table, name, len);
		if (!o && !config) {
			ql_complain("'--%.*s' is no option; --help lists them", (int)len, name);
			return -1;
		}
		if (config || o->arg) {
			if (!value && i + 1 < argc)
				value = argv[++i];
			if (!value) {
				ql_complain("--%.*s needs a value: %s", (int)len, name,
					    config ? "FILE" : o->arg);
				return -1;
			}
		} else if (value) {
			ql_complain("--%s takes no value", o->name);
			return -1;
		}
		if (config) {
			if (read_file(table, to, value, section) < 0)
				return -1;
			continue;
		}
		wrong = set(o, to, value);
		if (wrong) {
			ql_complain("--%s %s: expected %s", o->name, value, wrong);
			return -1;
		}
	}
	return n;
}

void ql_options_help(const struct ql_option *table)
{
	for (const struct ql_option *o = table; o->name; o++) {
		const char *line = o->help;
		int width;

		width = printf("  --%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
		while (line) {
			const char *eol = strchr(line, '\n');

			if (width > 27) {
				putchar('\n');
				width = 0;
			}
			printf("%*s%.*s\n", 28 - width, "", eol ? (int)(eol - line) : 1000, line);
			width = 0;
			line = eol ? eol + 1 : NULL;
		}
	}
}
