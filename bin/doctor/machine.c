/* machine.c - has this machine what a gateway and the commands need? */
#include "compat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#ifdef __linux__
#include <sys/vfs.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include "blank.h"
#include "clock.h"
#include "doctor.h"
#include "err.h"
#include "program.h"
#include "spawn.h"
#include "statedir.h"
#include "status.h"

#define PROGRAM_MS 10000			 /* how long a program that is asked for its version may take */
#define PROGRAM_MAX 65536			 /* bytes of what it says */
#define DISK_WARN (UINT64_C(1024) * 1024 * 1024) /* bytes that are free */
#define DISK_FAIL (UINT64_C(100) * 1024 * 1024)
#define FILES_WARN 10064 /* descriptors: those of as many connections as a gateway takes, and its own */

static void
check_disk(const char *dir)
{
	struct statvfs fs;
	uint64_t bytes;

	if (statvfs(dir, &fs) < 0) {
		report("disk", RESULT_FAIL, STATUS_IO, NULL, "unable to look at '%s': %s", dir, strerror(errno));
		return;
	}
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	report("disk",
	    bytes < DISK_FAIL						  ? RESULT_FAIL
		: bytes < DISK_WARN || (fs.f_files && fs.f_favail < 1000) ? RESULT_WARN
									  : RESULT_OK,
	    STATUS_IO, "make room, or put the state somewhere else (--state)", "%llu MiB are free, %llu files more",
	    (unsigned long long)(bytes >> 20), (unsigned long long)fs.f_favail);
#ifdef __linux__
	{
		static const unsigned long remote[] = { 0x6969, 0xff534d42, 0xfe534d42, 0x517b, 0x01021997, 0x47504653, 0x0bd00bd0,
			0x5346414f };
		struct statfs type;
		size_t i;

		for (i = 0; i < ARRAY_LEN(remote) && statfs(dir, &type) == 0; i++)
			if (((unsigned long)type.f_type & 0xffffffffUL) == remote[i])
				report("filesystem", RESULT_WARN, 0,
				    "keep the state on a local disk: locks and syncs of network file systems are not to be trusted",
				    "'%s' is on a network file system", dir);
	}
#endif
}

static void
check_state(const char *given)
{
	struct buf where = BUF_INIT;
	struct err err = ERR_INIT;
	struct stat st;
	char *dir, *slash;

	if (!statedir_find(given, NULL, &where, &err)) {
		report_err("state", &err, "name a directory with --state");
		buf_release(&where);
		return;
	}
	if (stat(where.s, &st) < 0 && errno == ENOENT)
		report("state", RESULT_OK, 0, NULL, "'%s' is not there yet; the first start makes it", where.s);
	else if (stat(where.s, &st) < 0)
		report("state", RESULT_FAIL, STATUS_CONFIG, "name another one with --state", "unable to use '%s': %s", where.s,
		    strerror(errno));
	else if (!S_ISDIR(st.st_mode))
		report("state", RESULT_FAIL, STATUS_CONFIG, "name a directory with --state", "'%s' is no directory", where.s);
	else if (access(where.s, W_OK | X_OK) < 0)
		report("state", RESULT_FAIL, STATUS_CONFIG, "give it to the user of the gateway (chown), or name another one",
		    "unable to write to '%s': %s", where.s, strerror(errno));
	else if (st.st_mode & 077)
		report("state", RESULT_WARN, 0, "chmod 700 it: conversations and hashes of tokens are in it", "'%s' is open to others",
		    where.s);
	else
		report("state", RESULT_OK, 0, NULL, "'%s'", where.s);
	/* the nearest directory that is there has the disk */
	dir = buf_detach(&where, NULL);
	while (stat(dir, &st) < 0 && (slash = strrchr(dir, '/')) && slash != dir)
		*slash = '\0';
	check_disk(stat(dir, &st) == 0 ? dir : "/");
	free(dir);
}

static void
check_limits(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	if (files.rlim_max != RLIM_INFINITY && files.rlim_max < FILES_WARN)
		report("files", RESULT_WARN, 0, "raise it (LimitNOFILE in the unit, ulimit -Hn): each connection needs one",
		    "%llu files may be open at once", (unsigned long long)files.rlim_max);
	else
		report("files", RESULT_OK, 0, NULL, "enough files may be open at once");
}

/* What a program says first, on its first line. False: it is not there, or says nothing in time. */
static bool
ask_program(const char *const *argv, struct buf *to, struct err *err)
{
	struct spawn spawn = { .argv = argv, .in = SPAWN_NULL, .out = SPAWN_PIPE, .errs = SPAWN_NULL, .own_group = true };
	int64_t deadline = deadline_in(PROGRAM_MS);
	struct pollfd wait;
	char bytes[4096];
	ssize_t n = 1;
	int ended = 0;

	if (!spawn_start(&spawn, err))
		return false;
	wait = (struct pollfd){ .fd = spawn.out_fd, .events = POLLIN };
	while (n > 0 && to->len < PROGRAM_MAX && deadline_left(deadline) > 0)
		if (poll(&wait, 1, deadline_poll(deadline)) > 0) {
			n = read(spawn.out_fd, bytes, sizeof bytes);
			buf_add(to, bytes, n > 0 ? (size_t)n : 0);
		}
	close(spawn.out_fd);
	if (n > 0)
		kin_signal(&spawn.kin, SIGKILL);
	while (waitpid(spawn.pid, &ended, 0) < 0 && errno == EINTR)
		;
	if (n > 0)
		return err_set(err, STATUS_TIMEOUT, "unable to ask '%s': no end in %d s", argv[0], PROGRAM_MS / 1000);
	if (!WIFEXITED(ended) || WEXITSTATUS(ended))
		return err_set(err, STATUS_CONFIG, "unable to ask '%s': it failed", argv[0]);
	buf_cut(to, strcspn(to->s, "\r\n"));
	blank_trim_buf(to, BLANK_ASCII);
	return true;
}

static void
check_codex(void)
{
	const char *command = getenv("CODEX_APP_SERVER_COMMAND");
	struct buf said = BUF_INIT, found = BUF_INIT;
	struct err err = ERR_INIT;

	if (!command || !*command)
		command = program_codex(&found) ? found.s : "codex";
	if (!ask_program((const char *const[]){ command, "--version", NULL }, &said, &err)) {
		if (err.status == STATUS_CONFIG && !strcmp(command, "codex"))
			report("codex", RESULT_SKIP, 0, NULL, "%s; turns go to another runtime, or to the one for tests", err.text);
		else
			report_err("codex", &err, "correct CODEX_APP_SERVER_COMMAND");
	} else if (strcmp(said.s, AU_CODEX_VERSION) != 0)
		report("codex", RESULT_WARN, 0, "install the version that this gateway was tried with: npm install -g " AU_CODEX_PACKAGE,
		    "%s, and " AU_CODEX_VERSION " is known to work", said.s);
	else
		report("codex", RESULT_OK, 0, NULL, "%s", said.s);
	buf_release(&said);
	buf_release(&found);
}

/* Runtimes stand beside the commands, installed or not: ../libexec/agentutils. */
static void
check_runtimes(void)
{
	static const char *const names[] = { "agent-runtime-mock", "agent-runtime-openai", "agent-runtime-acp", "agent-session-host" };
	struct buf file = BUF_INIT, there = BUF_INIT, missing = BUF_INIT;
	struct buf *list;
	size_t i;

	for (i = 0; i < ARRAY_LEN(names); i++) {
		buf_reset(&file);
		program_libexec(names[i], &file);
		list = access(file.s, X_OK) == 0 ? &there : &missing;
		buf_addf(list, "%s%s", list->len ? ", " : "", names[i]);
	}
	if (!there.len)
		report("runtimes", RESULT_FAIL, STATUS_CONFIG, "install the whole of agentutils", "unable to run '%s'", file.s);
	else if (missing.len)
		report("runtimes", RESULT_WARN, 0, "install the whole of agentutils", "%s; missing: %s", there.s, missing.s);
	else
		report("runtimes", RESULT_OK, 0, NULL, "%s", there.s);
	buf_release(&file);
	buf_release(&there);
	buf_release(&missing);
}

static void
check_containers(void)
{
	static const char *const engines[] = { "docker", "podman" };
	const char *provider = getenv("AGENT_RUNTIME_PROVIDER");
	bool needed = provider && !strcmp(provider, "local_docker");
	struct buf said = BUF_INIT;
	struct err err = ERR_INIT;
	size_t i;

	for (i = 0; i < ARRAY_LEN(engines); i++) {
		buf_reset(&said);
		if (ask_program((const char *const[]){ engines[i], "version", "--format", "{{.Client.Version}}", NULL }, &said, &err)) {
			report("containers", RESULT_OK, 0, NULL, "%s %s", engines[i], said.s);
			buf_release(&said);
			return;
		}
	}
	report("containers", needed ? RESULT_FAIL : RESULT_SKIP, STATUS_CONFIG,
	    needed ? "install docker or podman, or choose another AGENT_RUNTIME_PROVIDER" : NULL,
	    "neither docker nor podman answers; local_docker cannot be used");
	buf_release(&said);
}

static void
check_tools(void)
{
	struct buf said = BUF_INIT;
	struct err err = ERR_INIT;

	if (ask_program((const char *const[]){ "jq", "--version", NULL }, &said, &err))
		report("tools", RESULT_OK, 0, NULL, "%s", said.s);
	else
		report("tools", RESULT_WARN, 0, "install jq: runtime-agents, runtime-chat and clarity-agent need it", "%s", err.text);
	buf_release(&said);
}

void
check_machine(const char *state)
{
	check_state(state);
	check_limits();
	check_runtimes();
	check_codex();
	check_containers();
	check_tools();
}
