/* shim.c - faults of the system below a program, preloaded (LD_PRELOAD): a disk with errors and without power, clocks that jump, memory
 * that ends
 *
 * AU_FAULTS names a file of AU_FAULT_COUNT 64-bit integers, which all processes map; tests/faults/inject sets them while the programs run.
 * AU_FAULT_DIR is the directory whose files have these faults. AU_FAULT_JOURNAL is the file to which everything is appended that happens to
 * them, in order: tests/faults/powerloss makes of it what a disk may hold when the power goes.
 *
 * Nothing here is used by the product. Every call is the system's own, so that a sanitizer's are passed by.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum fault {
	FAULT_CLOCK,  /* seconds that the wall clock is wrong */
	FAULT_WRITE,  /* errno of writes */
	FAULT_SYNC,   /* of fsync and fdatasync */
	FAULT_READ,   /* of reads of the database */
	FAULT_OPEN,   /* of opening */
	FAULT_MALLOC, /* n: the n-th allocation from now fails, and no other */
	FAULT_HIT,    /* how many faults there have been */
	FAULT_COUNT
};

enum op { OP_WRITE = 1, OP_TRUNCATE, OP_CREATE, OP_UNLINK, OP_RENAME, OP_LINK, OP_SYNC };

/* One record of the journal; `path` and then `data` follow. */
struct record {
	uint32_t op, path;
	uint64_t at, data; /* data: bytes; of OP_TRUNCATE at is the new size; of OP_RENAME and OP_LINK data is the new path */
};

static int64_t none[FAULT_COUNT];
static volatile int64_t *faults = none;
static char dir[PATH_MAX];
static size_t dir_len;
static int journal = -1;

__attribute__((constructor)) static void
begin(void)
{
	const char *file = getenv("AU_FAULTS"), *where = getenv("AU_FAULT_DIR"), *to = getenv("AU_FAULT_JOURNAL");
	void *map;
	long fd;

	if (where && realpath(where, dir))
		dir_len = strlen(dir);
	if (file && (fd = syscall(SYS_openat, AT_FDCWD, file, O_RDWR | O_CLOEXEC, 0)) >= 0) {
		map = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, (int)fd, 0);
		if (map != MAP_FAILED)
			faults = map;
		syscall(SYS_close, (int)fd);
	}
	if (to && (fd = syscall(SYS_openat, AT_FDCWD, to, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600)) >= 0) {
		/* out of the way of those who count from 3 */
		journal = (int)syscall(SYS_fcntl, (int)fd, F_DUPFD_CLOEXEC, 900);
		syscall(SYS_close, (int)fd);
	}
}

static int
fail(enum fault which)
{
	__atomic_add_fetch(&faults[FAULT_HIT], 1, __ATOMIC_RELAXED);
	errno = (int)faults[which];
	return -1;
}

/* Is it one of ours? Its name below the directory, "" for the directory. */
static const char *
below(char *path)
{
	if (!dir_len || strncmp(path, dir, dir_len) != 0 || (path[dir_len] && path[dir_len] != '/'))
		return NULL;
	return path[dir_len] ? path + dir_len + 1 : path + dir_len;
}

static const char *
name_of(int fd, char path[PATH_MAX])
{
	char proc[32];
	long n;

	if (!dir_len)
		return NULL;
	snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
	n = syscall(SYS_readlinkat, AT_FDCWD, proc, path, PATH_MAX - 1);
	if (n <= 0)
		return NULL;
	path[n] = '\0';
	return below(path);
}

/* A name that may not be there yet: the directory's path, and the name. */
static const char *
name_at(int at, const char *name, char path[PATH_MAX])
{
	char there[PATH_MAX];
	size_t n = 0;

	if (!dir_len)
		return NULL;
	if (*name == '/')
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX ? below(path) : NULL;
	if (at == AT_FDCWD) {
		if (!getcwd(there, sizeof there))
			return NULL;
	} else {
		char proc[32];
		long got;

		snprintf(proc, sizeof proc, "/proc/self/fd/%d", at);
		got = syscall(SYS_readlinkat, AT_FDCWD, proc, there, sizeof there - 1);
		if (got <= 0)
			return NULL;
		there[got] = '\0';
	}
	n = strlen(there);
	if (n + strlen(name) + 2 > PATH_MAX)
		return NULL;
	memcpy(path, there, n);
	path[n] = '/';
	memcpy(path + n + 1, name, strlen(name) + 1);
	return below(path);
}

static void
note(enum op op, const char *path, uint64_t at, const void *data, size_t n)
{
	struct record record = { (uint32_t)op, (uint32_t)strlen(path), at, n };
	struct iovec parts[] = { { &record, sizeof record }, { (void *)(uintptr_t)path, strlen(path) }, { (void *)(uintptr_t)data, n } };
	int kept = errno;

	if (journal >= 0)
		syscall(SYS_writev, journal, parts, 3);
	errno = kept;
}

/* ---- files */

#define TWICE(name) __typeof__(name) name##64 __attribute__((alias(#name)))

ssize_t
pwrite(int fd, const void *bytes, size_t n, off_t at)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path);
	ssize_t done;

	if (name && faults[FAULT_WRITE])
		return fail(FAULT_WRITE);
	done = syscall(SYS_pwrite64, fd, bytes, n, at);
	if (name && done > 0)
		note(OP_WRITE, name, (uint64_t)at, bytes, (size_t)done);
	return done;
}
TWICE(pwrite);

ssize_t
write(int fd, const void *bytes, size_t n)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path);
	ssize_t done;
	off_t end;

	if (name && faults[FAULT_WRITE])
		return fail(FAULT_WRITE);
	done = syscall(SYS_write, fd, bytes, n);
	if (name && done > 0 && (end = syscall(SYS_lseek, fd, 0, SEEK_CUR)) >= done)
		note(OP_WRITE, name, (uint64_t)(end - done), bytes, (size_t)done);
	return done;
}

ssize_t
pread(int fd, void *bytes, size_t n, off_t at)
{
	char path[PATH_MAX];

	if (faults[FAULT_READ] && name_of(fd, path))
		return fail(FAULT_READ);
	return syscall(SYS_pread64, fd, bytes, n, at);
}
TWICE(pread);

int
ftruncate(int fd, off_t size)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path);
	int failed;

	if (name && faults[FAULT_WRITE])
		return fail(FAULT_WRITE);
	failed = (int)syscall(SYS_ftruncate, fd, size);
	if (name && !failed)
		note(OP_TRUNCATE, name, (uint64_t)size, NULL, 0);
	return failed;
}
TWICE(ftruncate);

static int
sync_with(long call, int fd)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path);
	int failed;

	if (name && faults[FAULT_SYNC])
		return fail(FAULT_SYNC);
	failed = (int)syscall(call, fd);
	if (name && !failed)
		note(OP_SYNC, name, 0, NULL, 0);
	return failed;
}
int
fsync(int fd)
{
	return sync_with(SYS_fsync, fd);
}
int
fdatasync(int fd)
{
	return sync_with(SYS_fdatasync, fd);
}

int
openat(int at, const char *path, int flags, ...)
{
	char whole[PATH_MAX];
	const char *name = name_at(at, path, whole);
	mode_t mode = 0;
	struct stat st;
	int is_new, fd;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	if (name && faults[FAULT_OPEN])
		return fail(FAULT_OPEN);
	is_new = name && (flags & O_CREAT) && syscall(SYS_newfstatat, at, path, &st, AT_SYMLINK_NOFOLLOW) < 0;
	fd = (int)syscall(SYS_openat, at, path, flags, mode);
	if (name && fd >= 0 && is_new)
		note(OP_CREATE, name, 0, NULL, 0);
	else if (name && fd >= 0 && (flags & O_TRUNC))
		note(OP_TRUNCATE, name, 0, NULL, 0);
	return fd;
}
TWICE(openat);

int
open(const char *path, int flags, ...)
{
	mode_t mode = 0;

	if (flags & (O_CREAT | __O_TMPFILE)) {
		va_list args;

		va_start(args, flags);
		mode = va_arg(args, mode_t);
		va_end(args);
	}
	return openat(AT_FDCWD, path, flags, mode);
}
TWICE(open);

int
unlinkat(int at, const char *path, int flags)
{
	char whole[PATH_MAX];
	const char *name = name_at(at, path, whole);
	int failed = (int)syscall(SYS_unlinkat, at, path, flags);

	if (name && !failed && !(flags & AT_REMOVEDIR))
		note(OP_UNLINK, name, 0, NULL, 0);
	return failed;
}
int
unlink(const char *path)
{
	return unlinkat(AT_FDCWD, path, 0);
}

int
renameat(int from_at, const char *from, int to_at, const char *to)
{
	char from_path[PATH_MAX], to_path[PATH_MAX];
	const char *from_name = name_at(from_at, from, from_path), *to_name = name_at(to_at, to, to_path);
	int failed = (int)syscall(SYS_renameat, from_at, from, to_at, to);

	if (from_name && to_name && !failed)
		note(OP_RENAME, from_name, 0, to_name, strlen(to_name));
	return failed;
}
int
rename(const char *from, const char *to)
{
	return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

int
linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	char from_path[PATH_MAX], to_path[PATH_MAX];
	const char *from_name = name_at(from_at, from, from_path), *to_name = name_at(to_at, to, to_path);
	int failed = (int)syscall(SYS_linkat, from_at, from, to_at, to, flags);

	if (from_name && to_name && !failed)
		note(OP_LINK, from_name, 0, to_name, strlen(to_name));
	return failed;
}

/* ---- clocks: the wall's only; the other one never jumps */

int
clock_gettime(clockid_t which, struct timespec *ret)
{
	int failed = (int)syscall(SYS_clock_gettime, which, ret);

	if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
		ret->tv_sec += (time_t)faults[FAULT_CLOCK];
	return failed;
}

int
gettimeofday(struct timeval *ret, void *zone)
{
	struct timespec now;

	(void)zone;
	clock_gettime(CLOCK_REALTIME, &now);
	ret->tv_sec = now.tv_sec;
	ret->tv_usec = now.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *ret)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (ret)
		*ret = now.tv_sec;
	return now.tv_sec;
}

/* ---- memory */

#ifndef AU_SANITIZED
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);

static int
ends(void)
{
	if (faults[FAULT_MALLOC] <= 0 || __atomic_sub_fetch(&faults[FAULT_MALLOC], 1, __ATOMIC_RELAXED) != 0)
		return 0;
	__atomic_add_fetch(&faults[FAULT_HIT], 1, __ATOMIC_RELAXED);
	errno = ENOMEM;
	return 1;
}
void *
malloc(size_t n)
{
	return ends() ? NULL : __libc_malloc(n);
}
void *
calloc(size_t n, size_t size)
{
	return ends() ? NULL : __libc_calloc(n, size);
}
void *
realloc(void *p, size_t n)
{
	return ends() ? NULL : __libc_realloc(p, n);
}
#endif
