// SPDX-License-Identifier: BSD-3-Clause
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BUCKETS 1024 /* a power of two */

struct ql_files {
	int root;
	unsigned int n;
	LIST_HEAD(, ql_file) buckets[BUCKETS];
	TAILQ_HEAD(uses, ql_file) by_use; /* last used first */
	LIST_HEAD(, ql_file) mapped;	  /* in the table or in use */
	volatile bool shrunk;		  /* one of them did */
};

/* Those of this thread, for the signal handler. */
static __thread struct ql_files *current;

/*
 * A page of a mapped file is gone: the file was cut. The thread that wants to send it must go on;
 * it finds zeros, and ql_files_broken() ends the requests of this file.
 */
static void on_sigbus(int signal, siginfo_t *info, void *context)
{
	uintptr_t page = (uintptr_t)info->si_addr & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
	uintptr_t start;
	struct ql_file *f;

	(void)context;
	if (current) {
		LIST_FOREACH (f, &current->mapped, in_mapped) {
			start = (uintptr_t)f->data;
			if (page < start || page >= start + f->size)
				continue;
			f->shrunk = current->shrunk = true;
			if (mmap((void *)page, 1, PROT_READ,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
				return;
		}
	}
	sigaction(signal, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
}

static void unload(struct ql_file *f)
{
	if (f->mapped) {
		LIST_REMOVE(f, in_mapped);
		munmap(f->data, f->size);
	} else {
		free(f->data);
	}
	f->data = NULL;
	f->mapped = false;
}

void ql_file_unref(void *arg)
{
	struct ql_file *f = arg;

	if (--f->refs > 0)
		return;
	unload(f);
	free(f->name);
	free(f);
}

static void forget(struct ql_file *f)
{
	struct ql_files *files = f->files;

	LIST_REMOVE(f, in_bucket);
	TAILQ_REMOVE(&files->by_use, f, by_use);
	files->n--;
	ql_file_unref(f);
}

/* Without openat2 (before Linux 5.6, or forbidden in a container): no links, no "..". */
static int open_by_steps(int root, const char *name)
{
	const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int dir = root, fd = -1;
	char step[QL_FILES_NAME];

	for (;;) {
		size_t len = strcspn(name, "/");

		snprintf(step, sizeof(step), "%.*s", (int)len, name);
		if (strcmp(step, "..") == 0) {
			fd = -1;
			errno = EXDEV;
		} else {
			fd = openat(dir, step, flags | (name[len] ? O_DIRECTORY : 0));
		}
		if (dir != root)
			close(dir);
		if (fd < 0 || name[len] == 0)
			return fd;
		dir = fd;
		name += len + 1;
	}
}

static int open_below(int root, const char *name)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));

	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return open_by_steps(root, name);
	return fd;
}

static int status_of(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return 404;
	case EACCES:
	case EPERM:
	case EXDEV: /* leaves the root */
	case ELOOP:
	case ENXIO:
		return 403;
	default:
		return 500;
	}
}

static int load(struct ql_file *f, int fd)
{
	size_t got = 0;

	if (f->size > QL_FILES_SMALL) {
		f->data = mmap(NULL, f->size, PROT_READ, MAP_SHARED, fd, 0);
		if (f->data == MAP_FAILED) {
			f->data = NULL;
			return 500;
		}
		f->mapped = true;
		LIST_INSERT_HEAD(&f->files->mapped, f, in_mapped);
		return 200;
	}
	f->data = malloc(f->size + 1);
	while (f->data && got < f->size) {
		ssize_t n = read(fd, f->data + got, f->size - got);

		if (n <= 0)
			return 500;
		got += (size_t)n;
	}
	return f->data ? 200 : 500;
}

/* Look at the file system; true when the file in memory is as good as the one there. */
static bool look(struct ql_file *f, const struct ql_file *old)
{
	struct stat st;
	int fd = open_below(f->files->root, f->name);

	if (fd < 0) {
		f->status = status_of(errno);
		return false;
	}
	if (fstat(fd, &st) < 0) {
		f->status = 500;
	} else if (S_ISDIR(st.st_mode)) {
		f->status = 301; /* its contents are below "name/" */
	} else if (!S_ISREG(st.st_mode)) {
		f->status = 403;
	} else {
		f->size = (size_t)st.st_size;
		f->mtime = st.st_mtim;
		if (old && old->status == 200 && !old->shrunk && old->size == f->size &&
		    old->mtime.tv_sec == f->mtime.tv_sec &&
		    old->mtime.tv_nsec == f->mtime.tv_nsec) {
			close(fd);
			return true;
		}
		f->status = load(f, fd);
	}
	close(fd);
	return false;
}

static uint32_t hash(const char *name)
{
	uint32_t h = 2166136261u;

	while (*name)
		h = (h ^ (uint8_t)*name++) * 16777619u;
	return h;
}

static void keep(struct ql_files *files, struct ql_file *f, uint32_t bucket)
{
	LIST_INSERT_HEAD(&files->buckets[bucket], f, in_bucket);
	TAILQ_INSERT_HEAD(&files->by_use, f, by_use);
	if (++files->n > QL_FILES)
		forget(TAILQ_LAST(&files->by_use, uses));
}

/* Only files that can be served are kept in the table. */
int ql_files_get(struct ql_files *files, const char *name, uint64_t now, struct ql_file **file)
{
	uint32_t bucket = hash(name) & (BUCKETS - 1);
	struct ql_file *f, *fresh;
	int status;

	LIST_FOREACH (f, &files->buckets[bucket], in_bucket) {
		if (strcmp(f->name, name) == 0)
			break;
	}
	*file = f;
	if (f && !f->shrunk && now - f->checked < QL_FILES_FRESH_NS) {
		TAILQ_REMOVE(&files->by_use, f, by_use);
		TAILQ_INSERT_HEAD(&files->by_use, f, by_use);
		return 200;
	}
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return 500;
	fresh->files = files;
	fresh->refs = 1;
	fresh->checked = now;
	fresh->name = strdup(name);
	LIST_INIT(&fresh->uses);
	if (!fresh->name) {
		ql_file_unref(fresh);
		return 500;
	}
	if (look(fresh, f)) {
		ql_file_unref(fresh);
		f->checked = now;
		return 200;
	}
	if (f)
		forget(f);
	*file = fresh;
	status = fresh->status;
	if (status == 200)
		keep(files, fresh, bucket);
	else
		ql_file_unref(fresh);
	return status;
}

void ql_file_ref(struct ql_file *file)
{
	file->refs++;
}

void ql_file_use(struct ql_file *file, struct ql_file_use *use)
{
	LIST_INSERT_HEAD(&file->uses, use, in_file);
}

void ql_file_end_use(struct ql_file_use *use)
{
	LIST_REMOVE(use, in_file);
}

struct ql_file_use *ql_files_broken(struct ql_files *files)
{
	struct ql_file *f;

	if (!files->shrunk)
		return NULL;
	LIST_FOREACH (f, &files->mapped, in_mapped) {
		if (f->shrunk && !LIST_EMPTY(&f->uses))
			return LIST_FIRST(&f->uses);
	}
	files->shrunk = false;
	return NULL;
}

struct ql_files *ql_files_open(const char *root)
{
	struct ql_files *files = calloc(1, sizeof(*files));

	if (!files)
		return NULL;
	files->root = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (files->root < 0) {
		free(files);
		return NULL;
	}
	TAILQ_INIT(&files->by_use);
	current = files;
	sigaction(SIGBUS, &(struct sigaction){.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO},
		  NULL);
	return files;
}

void ql_files_close(struct ql_files *files)
{
	struct ql_file *f;

	while ((f = TAILQ_FIRST(&files->by_use)) != NULL)
		forget(f);
	close(files->root);
	current = NULL;
	free(files);
}
