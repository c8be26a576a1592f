// SPDX-License-Identifier: BSD-3-Clause
/*
 * The regular files below a directory, in memory by name: small ones read, large ones mapped, at
 * most QL_FILES of them besides those in use; the one not used for longest goes first. The file
 * system is asked again after QL_FILES_FRESH_NS. Nothing outside of the directory is reached,
 * neither by ".." nor by symbolic links.
 *
 * A mapped file may be cut by others while it is in use. Whoever reads what is gone finds zeros,
 * and ql_files_broken() tells.
 *
 * One struct ql_files a thread, and only used on it: it handles SIGBUS there.
 */
#ifndef QL_APP_FILES_H
#define QL_APP_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include <qlane/common.h>

#define QL_FILES	  1024
#define QL_FILES_SMALL	  65536 /* bytes of a file that is read, not mapped */
#define QL_FILES_FRESH_NS QL_NSEC_PER_SEC
#define QL_FILES_NAME	  1024 /* bytes of a name, with the zero byte */

struct ql_files;

/* Part of what whoever uses a file has; ends before its reference does. */
struct ql_file_use {
	LIST_ENTRY(ql_file_use) in_file;
};

struct ql_file {
	uint8_t *data; /* not to be changed */
	size_t size;
	struct timespec mtime;

	/* Of files.c. */
	struct ql_files *files;
	char *name;
	uint64_t checked; /* ns */
	int status;	  /* 200, or why not */
	bool mapped;
	volatile bool shrunk;
	unsigned int refs;
	LIST_HEAD(, ql_file_use) uses;
	LIST_ENTRY(ql_file) in_bucket;
	TAILQ_ENTRY(ql_file) by_use;
	LIST_ENTRY(ql_file) in_mapped;
};

/* NULL with errno set when root is no directory that can be read. */
struct ql_files *ql_files_open(const char *root);
/* When no file is in use any more. */
void ql_files_close(struct ql_files *files);

/*
 * The file of a name below the root, which has no "/" in front; now in ns. 200 with *file valid
 * until the next call, or for who takes a reference; 301 when it is a directory; 403, 404, 500.
 */
int ql_files_get(struct ql_files *files, const char *name, uint64_t now, struct ql_file **file);

/* Keep it; ql_file_unref() is a ql_release_fn. */
void ql_file_ref(struct ql_file *file);
void ql_file_unref(void *file);

void ql_file_use(struct ql_file *file, struct ql_file_use *use);
void ql_file_end_use(struct ql_file_use *use);

/* A use of a file that has shrunk; NULL if there is none. Costs nothing while that is so. */
struct ql_file_use *ql_files_broken(struct ql_files *files);

#endif /* QL_APP_FILES_H */
