// SPDX-License-Identifier: BSD-3-Clause
/*
 * Options of the programs: one table gives the names, the help text and where the values go, for
 * the command line ("--name value" or "--name=value") and for INI files ("name = value").
 *
 * All values go into one struct of the program. Strings are not copied: those of the command line
 * live as long as the program, those of INI files are kept for it. Messages go to standard error
 * and say which option, which file, what is wrong.
 */
#ifndef QL_APP_OPTIONS_H
#define QL_APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <qlane/engine.h>
#include <qlane/net.h>

struct ql_option;

/*
 * Puts a value into *to, the field that the option names.
 * @return NULL, or what is expected instead, such as "a number from 1 to 65535"
 */
typedef const char *(*ql_option_fn)(const struct ql_option *option, void *to, const char *value);

struct ql_option {
	const char *name; /* without "--"; NULL ends the table */
	const char *arg;  /* what the help calls the value; NULL for a flag */
	const char *help; /* lines are broken by '\n' */
	ql_option_fn set;
	size_t offset;	   /* of the field in the program's struct */
	uint64_t min, max; /* of numbers */
};

/* A list of addresses, and of addresses with prefixes. */
struct ql_ifaddrs {
	struct ql_ifaddr at[QL_PORT_ADDRS];
	unsigned int n;
};

struct ql_gateways {
	struct ql_addr at[QL_PORT_GATEWAYS];
	unsigned int n;
};

/* An address with a port of each family; port 0: none. */
struct ql_endpoints {
	struct ql_addr ip4, ip6;
};

/* Setters; the comment says what the field is. */
const char *ql_option_flag(const struct ql_option *, void *to, const char *);	/* bool */
const char *ql_option_string(const struct ql_option *, void *to, const char *); /* const char * */
const char *ql_option_u16(const struct ql_option *, void *to, const char *);	/* uint16_t */
const char *ql_option_u32(const struct ql_option *, void *to, const char *);	/* uint32_t */
const char *ql_option_u64(const struct ql_option *, void *to, const char *); /* uint64_t; k, M, G */
const char *ql_option_ifaddrs(const struct ql_option *, void *to,
			      const char *); /* struct ql_ifaddrs */
const char *ql_option_gateways(const struct ql_option *, void *to,
			       const char *); /* struct ql_gateways */
/* enum ql_congestion */
const char *ql_option_congestion(const struct ql_option *, void *to, const char *);
/* uint32_t [QL_VERSIONS_MAX], and uint32_t: versions of QUIC */
const char *ql_option_versions(const struct ql_option *, void *to, const char *);
const char *ql_option_version(const struct ql_option *, void *to, const char *);
/* unsigned int: QL_SUITE_ bits */
const char *ql_option_suites(const struct ql_option *, void *to, const char *);
/* struct ql_endpoints */
const char *ql_option_endpoints(const struct ql_option *, void *to, const char *);
const char *ql_option_alpns(const struct ql_option *, void *to, const char *); /* const char * */

/* Name of the program for all messages; set first. */
extern const char *ql_program;

/* "PROGRAM: ..." on standard error, with a newline. */
void ql_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The start of a program with the command line "EAL arguments -- our arguments": the index of the
 * first of ours. 0 when --help or --version stands anywhere, and has been answered; -1 after a
 * message, when there is no "--". usage is what that says behind the program's name; NULL: all of
 * ours may be missing, and argc is returned then.
 */
int ql_args_begin(int argc, char **argv, const char *usage, void (*help)(void));

/*
 * Read our arguments, from argv[0] on. "--config FILE" reads the section of that INI file in its
 * place: later values win, lists grow. What does not begin with "-" goes into rest, in its order,
 * if there is a rest.
 * @return how many went into rest; -1 after a message
 */
int ql_options_read(const struct ql_option *table, void *to, const char *section, int argc,
		    char **argv, char **rest);

/* The options as a help text on standard output. */
void ql_options_help(const struct ql_option *table);

#endif /* QL_APP_OPTIONS_H */
