// SPDX-License-Identifier: BSD-3-Clause
/* URLs of the scheme https, as much of RFC 3986 as a fetch needs. */
#ifndef QL_APP_URL_H
#define QL_APP_URL_H

#include <stdbool.h>
#include <stdint.h>

struct ql_url {
	char host[256]; /* name or literal address, without brackets */
	uint16_t port;
	char authority[272]; /* host, and port unless it is 443 */
	char path[2048];     /* with its query, "/" at least */
};

/* NULL, or what is wrong. */
const char *ql_url_parse(const char *text, struct ql_url *url);

/*
 * The file that a URL's content goes to, as a relative path without "." and ".." and without
 * empty steps: the URL's path, decoded where that is safe, "index.html" added to a directory.
 * False when it is too long.
 */
bool ql_url_file(const struct ql_url *url, char *name, unsigned int size);

#endif /* QL_APP_URL_H */
