/* kin.c - a program that was started, and all that it has started */
#include "compat.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"
#include "kin.h"
#include "xalloc.h"

extern char **environ;

static char family[64]; /* of the marks: "PID-TIME." */

void
kin_begin(void)
{
	struct timespec now = { 0 };

	if (*family)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(family, sizeof family, "%ld-%llx%08lx.", (long)getpid(), (unsigned long long)now.tv_sec, (unsigned long)now.tv_nsec);
}

static size_t
count(const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

static bool
is_ours(const char *variable)
{
	return !strncmp(variable, KIN_VARIABLE "=", sizeof KIN_VARIABLE);
}

const char **
kin_environment(const char *const *env, struct kin *kin, char **ret_mark)
{
	static unsigned long last;
	const char *outer = getenv(KIN_VARIABLE), **list;
	struct buf mark = BUF_INIT;
	size_t n = 0, i;

	kin_begin();
	if (!env)
		env = (const char *const *)(uintptr_t)environ;
	kin->number = __atomic_add_fetch(&last, 1, __ATOMIC_RELAXED);
	buf_addstr(&mark, KIN_VARIABLE "=");
	if (outer && strlen(outer) < KIN_MARKS_MAX)
		buf_addf(&mark, "%s:", outer);
	buf_addf(&mark, "%s%lu", family, kin->number);
	*ret_mark = buf_detach(&mark, NULL);
	list = xcalloc(count(env) + 2, sizeof *list);
	for (i = 0; env[i]; i++)
		if (!is_ours(env[i]))
			list[n++] = env[i];
	list[n] = *ret_mark;
	return list;
}

void
kin_signal_group(const struct kin *kin, int sig)
{
	if (kin->group > 0)
		kill(-kin->group, sig);
}

/* ---- who is there */

struct process {
	pid_t pid, parent, group;
	bool kin;
};

struct processes {
	struct process *list;
	size_t n;
};

/* Appends what a file of /proc holds; false when it cannot be read, which is no news: the process is gone or somebody else's. */
static bool
read_proc(int dir, const char *pid, const char *name, size_t max, struct buf *to)
{
	char path[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof path, "%s/%s", pid, name);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	do {
		buf_reserve(to, 4096);
		n = read(fd, to->s + to->len, 4096);
		if (n > 0)
			to->len += (size_t)n;
		to->s[to->len] = '\0';
	} while ((n > 0 || (n < 0 && errno == EINTR)) && to->len < max);
	close(fd);
	return n >= 0;
}

/* "PID (NAME) STATE PARENT GROUP ...": the name may hold anything. False for one that has ended and waits to be collected. */
static bool
read_stat(int dir, const char *pid, struct process *process)
{
	struct buf text = BUF_INIT;
	long parent = 0, group = 0;
	const char *end;
	char state = 'Z';
	bool ok;

	ok = read_proc(dir, pid, "stat", 4096, &text) && (end = strrchr(text.s, ')')) &&
	    sscanf(end + 1, " %c %ld %ld", &state, &parent, &group) == 3 && state != 'Z' && state != 'X';
	*process = (struct process){ .pid = (pid_t)strtol(pid, NULL, 10), .parent = (pid_t)parent, .group = (pid_t)group };
	buf_release(&text);
	return ok;
}

/* Does this list of marks name it? A mark that ends in "." stands for its whole family. */
static bool
names(const char *marks, const char *mark)
{
	size_t n = strlen(mark);

	for (; marks; marks = (marks = strchr(marks, ':')) ? marks + 1 : NULL)
		if (!strncmp(marks, mark, n) && (mark[n - 1] == '.' || !marks[n] || marks[n] == ':'))
			return true;
	return false;
}

static bool
carries(int dir, const char *pid, const char *mark)
{
	struct buf text = BUF_INIT;
	const char *at;
	bool found = false;

	if (read_proc(dir, pid, "environ", KIN_ENVIRON_MAX, &text))
		for (at = text.s; at < text.s + text.len && !found; at += strlen(at) + 1)
			found = is_ours(at) && names(at + sizeof KIN_VARIABLE, mark);
	buf_release(&text);
	return found;
}

static void
add(struct processes *all, const struct process *process)
{
	all->list = xgrow(all->list, all->n, sizeof *all->list);
	all->list[all->n++] = *process;
}

static int
compare(const void *a, const void *b)
{
	const struct process *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

static void
add_descendants(struct processes *all)
{
	bool more = all->n > 0;
	size_t i;

	if (more)
		qsort(all->list, all->n, sizeof *all->list, compare);
	while (more) {
		more = false;
		for (i = 0; i < all->n; i++) {
			struct process key = { .pid = all->list[i].parent }, *parent;

			if (all->list[i].kin)
				continue;
			parent = bsearch(&key, all->list, all->n, sizeof *all->list, compare);
			if (parent && parent->kin)
				all->list[i].kin = more = true;
		}
	}
}

/* All processes, with the kin among them named. */
static void
look(const char *mark, pid_t group, struct processes *all)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	struct process process;

	all->n = 0;
	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		if (!isdigit((unsigned char)*entry->d_name) || !read_stat(dirfd(proc), entry->d_name, &process) || process.pid == getpid())
			continue;
		process.kin = (group > 0 && (process.pid == group || process.group == group)) || carries(dirfd(proc), entry->d_name, mark);
		add(all, &process);
	}
	closedir(proc);
	add_descendants(all);
}

static void
signal_all(const char *mark, pid_t group, int sig)
{
	struct processes all = { 0 };
	unsigned rounds = sig == SIGKILL ? KIN_ROUNDS : 1;
	size_t i, found;

	do {
		found = 0;
		look(mark, group, &all);
		for (i = 0; i < all.n; i++)
			if (all.list[i].kin && (sig == SIGKILL || all.list[i].group != group)) {
				found++;
				kill(all.list[i].pid, sig);
			}
	} while (found && --rounds);
	free(all.list);
}

void
kin_signal(const struct kin *kin, int sig)
{
	char mark[sizeof family + 32];

	kin_signal_group(kin, sig);
	if (!kin->number)
		return;
	snprintf(mark, sizeof mark, "%s%lu", family, kin->number);
	signal_all(mark, kin->group, sig);
}

void
kin_kill_all(void)
{
	if (*family)
		signal_all(family, 0, SIGKILL);
}
