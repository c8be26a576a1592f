// SPDX-License-Identifier: BSD-3-Clause
#include <qlane/observe.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/*
 * No FILE and no lock: a file opened to append takes each write whole, from whatever thread or
 * process, and a line written is a line that a reader sees.
 */
struct ql_keylog {
	int fd;
	int error; /* of the first failure; 0 if none */
};

struct ql_keylog *ql_keylog_open(const char *path)
{
	struct ql_keylog *k = malloc(sizeof(*k));
	int e;

	if (!k)
		return NULL;
	k->error = 0;
	k->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
	if (k->fd < 0) {
		e = errno;
		free(k);
		errno = e;
		return NULL;
	}
	return k;
}

void ql_keylog_write(void *keylog, const char *line)
{
	struct ql_keylog *k = keylog;
	size_t len = strlen(line);
	struct iovec iov[2] = {{(void *)(uintptr_t)line, len}, {(void *)(uintptr_t) "\n", 1}};
	ssize_t n;

	do
		n = writev(k->fd, iov, 2);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)len + 1) {
		int none = 0, e = n < 0 ? errno : ENOSPC;

		__atomic_compare_exchange_n(&k->error, &none, e, false, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED);
	}
}

int ql_keylog_close(struct ql_keylog *keylog)
{
	int rc;

	if (!keylog)
		return 0;
	rc = close(keylog->fd) < 0 ? -errno : 0;
	if (keylog->error)
		rc = -keylog->error;
	free(keylog);
	return rc;
}
