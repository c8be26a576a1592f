// SPDX-License-Identifier: BSD-3-Clause
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SMALLEST 512

/* Open, and make, the folders of a name; *name becomes what is left of it. */
static int open_folders(int root, const char **name, bool make)
{
	int dir = dup(root), next;
	const char *slash;

	while (dir >= 0 && (slash = strchr(*name, '/')) != NULL) {
		char *step = strndup(*name, (size_t)(slash - *name));

		if (!step) {
			close(dir);
			return -ENOMEM;
		}
		next = make && mkdirat(dir, step, 0777) < 0 && errno != EEXIST
			       ? -1
			       : openat(dir, step, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		free(step);
		if (next < 0) {
			int error = errno;

			close(dir);
			return -error;
		}
		close(dir);
		dir = next;
		*name = slash + 1;
	}
	return dir < 0 ? -errno : dir;
}

static void release(struct ql_outfile *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->dir >= 0)
		close(f->dir);
	free(f->name);
	free(f->temporary);
	free(f->buffer);
	*f = (struct ql_outfile){.dir = -1, .fd = -1};
}

/* The name of what is kept of a file. False when there is no memory. */
static bool part_name(const char *name, char **part)
{
	if (asprintf(part, ".%.200s.part", name) >= 0)
		return true;
	*part = NULL;
	return false;
}

void ql_outfile_look(int root, const char *name, struct ql_have *have)
{
	int dir = open_folders(root, &name, false);
	struct stat st;
	char *part;

	*have = (struct ql_have){0};
	if (dir < 0)
		return;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
		have->whole = true;
		have->modified = st.st_mtime;
	}
	if (part_name(name, &part)) {
		if (fstatat(dir, part, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
			have->part = (uint64_t)st.st_size;
			have->part_modified = st.st_mtime;
		}
		free(part);
	}
	close(dir);
}

/* All but the open file. */
static int begin(struct ql_outfile *f, int root, const char *name, size_t expected)
{
	static unsigned int count; /* two of one name may be under way, also on two lcores */

	*f = (struct ql_outfile){.dir = -1, .fd = -1};
	f->dir = open_folders(root, &name, true);
	if (f->dir < 0) {
		int error = f->dir;

		f->dir = -1;
		return error;
	}
	f->size = expected == 0 || expected > QL_OUTFILE_BUFFER ? QL_OUTFILE_BUFFER
		  : expected < SMALLEST				? SMALLEST
								: expected;
	f->name = strdup(name);
	f->buffer = malloc(f->size);
	if (!f->name || !f->buffer ||
	    asprintf(&f->temporary, ".%.200s.%ld-%u.part", name, (long)getpid(),
		     __atomic_fetch_add(&count, 1, __ATOMIC_RELAXED)) < 0) {
		f->temporary = NULL;
		release(f);
		return -ENOMEM;
	}
	return 0;
}

static int open_temporary(struct ql_outfile *f, int flags)
{
	f->fd = openat(f->dir, f->temporary, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0666);
	return f->fd < 0 ? -errno : 0;
}

int ql_outfile_open(struct ql_outfile *f, int root, const char *name, size_t expected)
{
	int rc = begin(f, root, name, expected);

	if (rc < 0)
		return rc;
	rc = open_temporary(f, O_CREAT | O_TRUNC);
	if (rc < 0)
		release(f);
	return rc;
}

int ql_outfile_reopen(struct ql_outfile *f, int root, const char *name)
{
	int rc = begin(f, root, name, 0);
	char *part;

	if (rc < 0)
		return rc;
	if (!part_name(f->name, &part)) {
		release(f);
		return -ENOMEM;
	}
	if (renameat(f->dir, part, f->dir, f->temporary) < 0)
		rc = -errno;
	else
		rc = open_temporary(f, O_APPEND);
	if (rc < 0) {
		renameat(f->dir, f->temporary, f->dir, part);
		release(f);
	}
	free(part);
	return rc;
}

static int put(struct ql_outfile *f, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = write(f->fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

int ql_outfile_write(struct ql_outfile *f, const void *data, size_t len)
{
	while (len > 0) {
		size_t n = f->size - f->used;
		int rc;

		if (n > len)
			n = len;
		memcpy(f->buffer + f->used, data, n);
		f->used += n;
		data = (const char *)data + n;
		len -= n;
		if (f->used == f->size) {
			rc = put(f, f->buffer, f->used);
			if (rc < 0)
				return rc;
			f->used = 0;
		}
	}
	return 0;
}

/* Write the rest, give it its time, close, and its name. */
static int finish(struct ql_outfile *f, const char *name)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = f->modified}};
	int rc = put(f, f->buffer, f->used), fd = f->fd;

	f->fd = -1;
	if (f->modified && futimens(fd, times) < 0 && rc == 0)
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && renameat(f->dir, f->temporary, f->dir, name) < 0)
		rc = -errno;
	if (rc < 0)
		unlinkat(f->dir, f->temporary, 0);
	return rc;
}

int ql_outfile_commit(struct ql_outfile *f)
{
	int rc = finish(f, f->name);

	release(f);
	return rc;
}

void ql_outfile_abort(struct ql_outfile *f)
{
	if (f->fd >= 0)
		unlinkat(f->dir, f->temporary, 0);
	release(f);
}

void ql_outfile_keep(struct ql_outfile *f)
{
	char *part;

	if (f->fd < 0 || !f->modified || !part_name(f->name, &part)) {
		ql_outfile_abort(f);
		return;
	}
	finish(f, part);
	free(part);
	release(f);
}
