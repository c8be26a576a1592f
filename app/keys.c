// SPDX-License-Identifier: BSD-3-Clause
#include "keys.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY	     32
#define CID_KEY	     16
#define ROTATION_MAX 6

bool ql_key_read(const char *option, const char *path, uint8_t key[32])
{
	uint8_t bytes[KEY + 1];
	size_t n;
	FILE *f;

	if (!path)
		return true;
	f = fopen(path, "rbe");
	n = f ? fread(bytes, 1, sizeof(bytes), f) : 0;
	if (!f)
		ql_complain("--%s %s: %s", option, path, strerror(errno));
	else if (n != KEY)
		ql_complain("--%s %s: it has %s than 32 bytes; make one: head -c 32 "
			    "/dev/urandom >%s",
			    option, path, n < KEY ? "less" : "more", path);
	if (f)
		fclose(f);
	if (n == KEY)
		memcpy(key, bytes, KEY);
	explicit_bzero(bytes, sizeof(bytes));
	return n == KEY;
}

/* One byte, a digit, in its place: a crash leaves the old one or the new one. */
bool ql_generation_next(const char *option, const char *path, uint8_t *generation)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	char digit = 0, text[2] = "0\n";
	bool good;

	good = fd >= 0 && pread(fd, &digit, 1, 0) >= 0;
	*generation = digit == '0';
	text[0] = (char)('0' + *generation);
	good = good && pwrite(fd, text, sizeof(text), 0) == sizeof(text);
	if (!good)
		ql_complain("--%s %s: %s", option, path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return good;
}

/* Digits up to the next ':' or the end, to at most max bytes; how many, 0 if they are none. */
static unsigned int read_hex(const char **text, uint8_t *to, unsigned int max)
{
	const char *p = *text;
	unsigned int n = 0, byte;

	while (isxdigit((unsigned char)p[0]) && isxdigit((unsigned char)p[1])) {
		if (n == max || sscanf(p, "%2x", &byte) != 1)
			return 0;
		to[n++] = (uint8_t)byte;
		p += 2;
	}
	*text = p;
	return n;
}

const char *ql_option_cid(const struct ql_option *option, void *to, const char *value)
{
	static const char expected[] =
		"a rotation from 0 to 6, ':', a server ID of 1 to 8 bytes in hexadecimal digits "
		"and, if IDs are encrypted, ':' and a key of 16";
	struct ql_cid_config c = {.rotation = (uint8_t)(value[0] - '0')};
	struct ql_cids *cids = to;

	(void)option;
	if (value[0] < '0' || c.rotation > ROTATION_MAX || value[1] != ':')
		return expected;
	value += 2;
	c.server_id_len = (uint8_t)read_hex(&value, c.server_id, QL_CID_SERVER_ID_MAX);
	if (c.server_id_len == 0)
		return expected;
	if (*value == ':') {
		value++;
		c.encrypted = true;
		if (read_hex(&value, c.key, CID_KEY) != CID_KEY)
			return expected;
	}
	if (*value)
		return expected;
	if (cids->n == QL_CID_CONFIGS)
		return "at most 3 of them";
	for (unsigned int i = 0; i < cids->n; i++)
		if (cids->at[i].rotation == c.rotation)
			return "a rotation that no other one has";
	cids->at[cids->n++] = c;
	return NULL;
}
