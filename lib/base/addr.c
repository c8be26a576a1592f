// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/common.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ql_build.h"

static int parse_port(const char *text, uint16_t *port)
{
	unsigned long v = 0;

	if (*text == '\0' || strlen(text) > 5)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		v = v * 10 + (unsigned long)(*text - '0');
	}
	if (v > UINT16_MAX)
		return -EINVAL;
	*port = (uint16_t)v;
	return 0;
}

int ql_addr_parse(const char *text, uint16_t default_port, struct ql_addr *addr)
{
	char host[INET6_ADDRSTRLEN];
	const char *start = text, *end, *colon = strchr(text, ':');
	struct ql_addr a = {.port = default_port};

	if (*text == '[') {
		start = text + 1;
		end = strchr(start, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		if (end[1] == ':' && parse_port(end + 2, &a.port) < 0)
			return -EINVAL;
	} else if (colon && !strchr(colon + 1, ':')) { /* one colon: IPv4 and a port */
		end = colon;
		if (parse_port(colon + 1, &a.port) < 0)
			return -EINVAL;
	} else {
		end = text + strlen(text);
	}
	if ((size_t)(end - start) >= sizeof(host))
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';

	if (*text != '[' && inet_pton(AF_INET, host, a.ip + 12) == 1)
		a.ip[10] = a.ip[11] = 0xff;
	else if (inet_pton(AF_INET6, host, a.ip) != 1)
		return -EINVAL;
	*addr = a;
	return 0;
}

const char *ql_addr_format(const struct ql_addr *addr, char buf[QL_ADDR_STRLEN])
{
	char host[INET6_ADDRSTRLEN];

	if (ql_addr_is_ip4(addr)) {
		inet_ntop(AF_INET, addr->ip + 12, host, sizeof(host));
		snprintf(buf, QL_ADDR_STRLEN, "%s:%u", host, addr->port);
	} else {
		inet_ntop(AF_INET6, addr->ip, host, sizeof(host));
		snprintf(buf, QL_ADDR_STRLEN, "[%s]:%u", host, addr->port);
	}
	return buf;
}

const char *ql_version(void)
{
	return QL_VERSION;
}
