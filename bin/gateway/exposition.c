/* exposition.c - the text format that Prometheus reads */
#include "compat.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "buf.h"
#include "err.h"
#include "exposition.h"
#include "utf8.h"

const double exposition_bounds[EXPOSITION_BOUNDS] = { 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60,
	600 };

void
exposition_family(struct buf *to, const char *name, const char *type, const char *help)
{
	buf_addf(to, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void
add_value(struct buf *to, const char *s)
{
	struct buf safe = BUF_INIT;
	size_t i;

	(void)utf8_repair(&safe, s, strlen(s));
	for (i = 0; i < safe.len; i++)
		switch (safe.s[i]) {
		case '\\':
			buf_addstr(to, "\\\\");
			break;
		case '"':
			buf_addstr(to, "\\\"");
			break;
		case '\n':
			buf_addstr(to, "\\n");
			break;
		default:
			buf_addch(to, safe.s[i]);
		}
	buf_release(&safe);
}

static void
add_name(struct buf *to, const char *name, const char *suffix, const char *const *labels, const char *le)
{
	const char *before = "{";

	buf_addstr(to, name);
	buf_addstr(to, suffix);
	for (; labels && labels[0]; labels += 2, before = ",") {
		buf_addf(to, "%s%s=\"", before, labels[0]);
		add_value(to, labels[1]);
		buf_addch(to, '"');
	}
	if (le) {
		buf_addf(to, "%sle=\"%s\"", before, le);
		before = ",";
	}
	buf_addstr(to, *before == ',' ? "} " : " ");
}

void
exposition_count(struct buf *to, const char *name, const char *suffix, const char *const *labels, uint64_t value)
{
	add_name(to, name, suffix, labels, NULL);
	buf_addu64(to, value);
	buf_addch(to, '\n');
}

void
exposition_real(struct buf *to, const char *name, const char *suffix, const char *const *labels, double value)
{
	add_name(to, name, suffix, labels, NULL);
	buf_addf(to, "%.15g\n", value);
}

void
histogram_add(struct histogram *histogram, int64_t us)
{
	double seconds = (double)(us < 0 ? 0 : us) / 1e6;
	size_t i;

	for (i = 0; i < EXPOSITION_BOUNDS && seconds > exposition_bounds[i]; i++)
		;
	histogram->buckets[i]++;
	histogram->sum_us += (uint64_t)(us < 0 ? 0 : us);
}

void
exposition_histogram(struct buf *to, const char *name, const char *const *labels, const struct histogram *histogram)
{
	uint64_t total = 0;
	char bound[32];
	size_t i;

	for (i = 0; i <= EXPOSITION_BOUNDS; i++) {
		total += histogram->buckets[i];
		snprintf(bound, sizeof bound, "%.15g", i < EXPOSITION_BOUNDS ? exposition_bounds[i] : 0);
		add_name(to, name, "_bucket", labels, i < EXPOSITION_BOUNDS ? bound : "+Inf");
		buf_addu64(to, total);
		buf_addch(to, '\n');
	}
	exposition_real(to, name, "_sum", labels, (double)histogram->sum_us / 1e6);
	exposition_count(to, name, "_count", labels, total);
}

/* ---- this process */

static bool
read_proc(const char *path, struct buf *to)
{
	struct err err = ERR_INIT;

	return buf_read_file(to, path, 65536, &err);
}

/* The n-th field of /proc/self/stat behind the command's name, which may hold blanks: 0 is the state. */
static uint64_t
stat_field(const struct buf *stat, unsigned n)
{
	const char *s = strrchr(stat->s, ')');

	for (s = s ? s + 1 : ""; *s && n--;) {
		s += strspn(s, " ");
		s += strcspn(s, " ");
	}
	return strtoull(s, NULL, 10);
}

static uint64_t
count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	uint64_t n = 0;

	while (dir && readdir(dir))
		n++;
	if (dir)
		closedir(dir);
	return n > 3 ? n - 3 : 0; /* ".", "..", and the one that reads them */
}

static double
boot_time(void)
{
	struct buf stat = BUF_INIT;
	const char *s;
	double time = 0;

	if (read_proc("/proc/stat", &stat) && (s = strstr(stat.s, "\nbtime ")))
		time = strtod(s + 7, NULL);
	buf_release(&stat);
	return time;
}

void
exposition_process(struct buf *to)
{
	struct buf stat = BUF_INIT;
	struct rlimit files;
	double ticks = (double)sysconf(_SC_CLK_TCK), booted = boot_time();
	uint64_t open_files = count_files();

	if (read_proc("/proc/self/stat", &stat)) {
		exposition_family(to, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.");
		exposition_real(to, "process_cpu_seconds_total", "", NULL, (double)(stat_field(&stat, 11) + stat_field(&stat, 12)) / ticks);
		exposition_family(to, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
		exposition_count(to, "process_resident_memory_bytes", "", NULL, stat_field(&stat, 21) * (uint64_t)sysconf(_SC_PAGESIZE));
		exposition_family(to, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.");
		exposition_count(to, "process_virtual_memory_bytes", "", NULL, stat_field(&stat, 20));
		exposition_family(to, "process_threads", "gauge", "Number of OS threads in the process.");
		exposition_count(to, "process_threads", "", NULL, stat_field(&stat, 17));
		if (booted > 0) {
			exposition_family(
			    to, "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.");
			exposition_real(to, "process_start_time_seconds", "", NULL, booted + (double)stat_field(&stat, 19) / ticks);
		}
	}
	if (open_files) {
		exposition_family(to, "process_open_fds", "gauge", "Number of open file descriptors.");
		exposition_count(to, "process_open_fds", "", NULL, open_files);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY) {
		exposition_family(to, "process_max_fds", "gauge", "Maximum number of open file descriptors.");
		exposition_count(to, "process_max_fds", "", NULL, (uint64_t)files.rlim_cur);
	}
	buf_release(&stat);
}
