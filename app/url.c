// SPDX-License-Identifier: BSD-3-Clause
#include "url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCHEME "https://"

static const char *parse_port(const char *text, size_t len, uint16_t *port)
{
	unsigned long n = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9' || n > 65535)
			return "its port is not a number from 1 to 65535";
		n = n * 10 + (unsigned long)(text[i] - '0');
	}
	if (n == 0 || n > 65535)
		return "its port is not a number from 1 to 65535";
	*port = (uint16_t)n;
	return NULL;
}

const char *ql_url_parse(const char *text, struct ql_url *url)
{
	const char *at = text + strlen(SCHEME), *host = at, *end, *wrong;
	size_t len;

	memset(url, 0, sizeof(*url));
	if (strncasecmp(text, SCHEME, strlen(SCHEME)) != 0)
		return "not a URL of the scheme https, such as https://10.9.0.2:4433/file";
	for (const char *p = text; *p; p++) {
		if ((unsigned char)*p <= ' ' || *p == 0x7f)
			return "URLs have no blanks; write %20";
	}
	end = at + strcspn(at, "/?#");
	if (memchr(at, '@', (size_t)(end - at)))
		return "names and passwords in URLs are not supported";
	if (*at == '[') {
		host = at + 1;
		at = memchr(host, ']', (size_t)(end - host));
		if (!at)
			return "its '[' has no ']'";
		len = (size_t)(at - host);
		at++;
	} else {
		len = strcspn(at, ":/?#");
		at += len;
	}
	if (len == 0 || len >= sizeof(url->host))
		return "it has no host";
	memcpy(url->host, host, len);
	url->port = 443;
	if (*at == ':') {
		wrong = parse_port(at + 1, (size_t)(end - at - 1), &url->port);
		if (wrong)
			return wrong;
	} else if (at != end) {
		return "its host is malformed; IPv6 addresses stand in brackets";
	}
	len = (size_t)snprintf(url->authority, sizeof(url->authority),
			       strchr(url->host, ':') ? "[%s]" : "%s", url->host);
	if (url->port != 443)
		snprintf(url->authority + len, sizeof(url->authority) - len, ":%u", url->port);
	len = strcspn(end, "#");
	if (len + 2 > sizeof(url->path))
		return "it is too long";
	snprintf(url->path, sizeof(url->path), "%s%.*s", *end == '/' ? "" : "/", (int)len, end);
	return NULL;
}

/* The byte of "%41", or -1. */
static int unhex(const char *p, const char *end)
{
	char digits[3] = {0};

	if (end - p < 3 || strspn(p + 1, "0123456789abcdefABCDEF") < 2)
		return -1;
	memcpy(digits, p + 1, 2);
	return (int)strtol(digits, NULL, 16);
}

/* One step of the path, decoded; left as it is when the result could mean anything else. */
static size_t decode_step(const char *step, const char *end, char *to, size_t size)
{
	size_t n = 0;

	for (const char *p = step; p < end; p++) {
		int c = *p == '%' ? unhex(p, end) : (unsigned char)*p;

		if (*p == '%') {
			if (c < ' ' || c == '/' || c == 0x7f) { /* also -1 */
				n = 0;
				break;
			}
			p += 2;
		}
		if (n + 1 >= size)
			return size;
		to[n++] = (char)c;
	}
	if (n == 0 || (n <= 2 && memcmp(to, "..", n) == 0)) {
		n = (size_t)(end - step);
		if (n >= size)
			return size;
		memcpy(to, step, n);
	}
	return n;
}

bool ql_url_file(const struct ql_url *url, char *name, unsigned int size)
{
	const char *p = url->path, *end = p + strcspn(p, "?");
	size_t n = 0;

	while (p < end) {
		const char *step = ++p;
		size_t len;

		while (p < end && *p != '/')
			p++;
		if (p == end && step == p) /* a directory */
			break;
		len = (size_t)(p - step);
		if (len == 0 || (len <= 2 && memcmp(step, "..", len) == 0))
			continue;
		if (n > 0 && n + 1 < size)
			name[n++] = '/';
		len = decode_step(step, p, name + n, size - n);
		n += len;
		if (n + sizeof("/index.html") >= size)
			return false;
	}
	name[n] = 0;
	if (n == 0 || end[-1] == '/')
		strcpy(name + n, n ? "/index.html" : "index.html");
	return true;
}
