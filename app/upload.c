// SPDX-License-Identifier: BSD-3-Clause
#include "upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "outfile.h"

struct ql_uploads {
	int dir;
	uint64_t max;
	unsigned int n;
};

struct ql_upload {
	struct ql_uploads *uploads;
	struct ql_outfile file;
	uint64_t bytes;
	int64_t length;
};

struct ql_uploads *ql_uploads_open(const char *dir, uint64_t max)
{
	struct ql_uploads *u = calloc(1, sizeof(*u));

	if (!u)
		return NULL;
	u->max = max ? max : UINT64_MAX;
	u->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (u->dir >= 0 && faccessat(u->dir, ".", W_OK | X_OK, AT_EACCESS) == 0)
		return u;
	if (u->dir >= 0) {
		int error = errno;

		close(u->dir);
		errno = error;
	}
	free(u);
	return NULL;
}

void ql_uploads_close(struct ql_uploads *u)
{
	close(u->dir);
	free(u);
}

static unsigned int status_of(int error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
	case ELOOP:
	case EROFS:
		return 403;
	case EISDIR:
	case ENOTDIR:
	case EEXIST:
	case ENOTEMPTY:
		return 409;
	case ENAMETOOLONG:
		return 414;
	case EFBIG:
		return 413;
	case ENOSPC:
	case EDQUOT:
		return 507;
	default:
		return 500;
	}
}

/* Each step of the name leads downwards, and it does not end with a folder. */
static bool is_below(const char *name)
{
	for (;;) {
		size_t n = strcspn(name, "/");

		if (n == 0 || (n <= 2 && strspn(name, ".") == n))
			return false;
		if (name[n] == 0)
			return true;
		name += n + 1;
	}
}

unsigned int ql_upload_begin(struct ql_uploads *uploads, const char *name, int64_t length,
			     struct ql_upload **upload)
{
	struct ql_upload *u;
	int rc;

	if (!is_below(name))
		return 403;
	if (length >= 0 && (uint64_t)length > uploads->max)
		return 413;
	if (uploads->n == QL_UPLOADS)
		return 503;
	u = calloc(1, sizeof(*u));
	if (!u)
		return 500;
	rc = ql_outfile_open(&u->file, uploads->dir, name, length > 0 ? (size_t)length : 0);
	if (rc < 0) {
		free(u);
		return status_of(rc);
	}
	u->uploads = uploads;
	u->length = length;
	uploads->n++;
	*upload = u;
	return 0;
}

unsigned int ql_upload_data(struct ql_upload *u, const void *data, size_t len)
{
	int rc;

	u->bytes += len;
	if (u->bytes > u->uploads->max)
		return 413;
	rc = ql_outfile_write(&u->file, data, len);
	return rc < 0 ? status_of(rc) : 0;
}

unsigned int ql_upload_commit(struct ql_upload *u)
{
	struct stat st;
	bool there = fstatat(u->file.dir, u->file.name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	int rc;

	if (u->length >= 0 && u->bytes != (uint64_t)u->length) {
		ql_upload_abort(u);
		return 400;
	}
	rc = ql_outfile_commit(&u->file);
	u->uploads->n--;
	free(u);
	if (rc < 0)
		return status_of(rc);
	return there ? 204 : 201;
}

void ql_upload_abort(struct ql_upload *u)
{
	ql_outfile_abort(&u->file);
	u->uploads->n--;
	free(u);
}
