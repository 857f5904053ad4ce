/* opt.h - options from one table per command
 *
 * The table gives the parser, --help, --options (which the completions and the tests read) and the check of the
 * man page. Options may stand before, between and after operands, except in commands whose operands are free text
 * (words_are_text): there the first operand ends the options, so that a text may hold "-x". "--" always ends them.
 */
#ifndef OPT_H
#define OPT_H

#include "compat.h"

/* Keys from 256 on have no short form. Each command numbers its own from OPT_OWN. */
enum {
	OPT_KEY_OPTIONS = 256,
	OPT_KEY_ERRORS,
	OPT_KEY_TOKEN_FILE,
	OPT_KEY_CONNECT_TIMEOUT,
	OPT_KEY_CACERT,
	OPT_KEY_CERT,
	OPT_KEY_KEY,
	OPT_KEY_JQ,
	OPT_KEY_RUN,
	OPT_KEY_SERVICE,
	OPT_KEY_AGENT,
	OPT_KEY_THREAD,
	OPT_KEY_TURN,
	OPT_KEY_COOKIE_FILE,
	OPT_KEY_ORIGIN,
	OPT_KEY_WAIT_FOR_LIMIT,
	OPT_OWN = 512
};

struct opt {
	int key;	  /* the short option's character, or a number >= 256; 0 ends the table */
	const char *name; /* long name */
	const char *arg;  /* name of the argument, NULL when it takes none */
	const char *help;
};

/* Every command ends its table with these. */
#define OPT_STD                                                                                                                            \
	{ 'q', "quiet", NULL, "say nothing but errors" }, { 'v', "verbose", NULL, "say more on standard error" },                          \
	    { OPT_KEY_ERRORS, "errors", "FORM", "errors as text or json (default text, or AGENT_ERRORS)" },                                \
	    { 'h', "help", NULL, "show this help and exit" }, { 'V', "version", NULL, "show the version and exit" },                       \
	{                                                                                                                                  \
		OPT_KEY_OPTIONS, "options", NULL, "list the options for programs and exit"                                                 \
	}
#define OPT_END                                                                                                                            \
	{                                                                                                                                  \
		0, NULL, NULL, NULL                                                                                                        \
	}

/* Commands that talk to a server (handled by api_opt(), api.h). */
#define OPT_API                                                                                                                            \
	{ 'u', "url", "URL", "the server (default AGENT_RUNTIME_URL, else http://127.0.0.1:4707); unix:/path works" },                     \
	    { OPT_KEY_TOKEN_FILE, "token-file", "FILE", "file with the bearer token (default AGENT_RUNTIME_TOKEN)" },                      \
	    { 't', "timeout", "DURATION", "end the whole command after this time" },                                                       \
	    { OPT_KEY_CONNECT_TIMEOUT, "connect-timeout", "DURATION", "longest wait for a connection (default 10s)" },                     \
	    { OPT_KEY_WAIT_FOR_LIMIT, "wait-for-limit", NULL, "when a limit is met: wait until it is over and ask again" },                \
	    { OPT_KEY_CACERT, "cacert", "FILE", "trust the certificates in FILE" },                                                        \
	    { OPT_KEY_CERT, "cert", "FILE", "client certificate" },                                                                        \
	{                                                                                                                                  \
		OPT_KEY_KEY, "key", "FILE", "its private key"                                                                              \
	}

/* ... and to a Compass API, too. */
#define OPT_COOKIE                                                                                                                         \
	{ OPT_KEY_COOKIE_FILE, "cookie-file", "FILE", "file with the session cookie of a Compass API (default AGENT_COOKIE_FILE)" },       \
	{                                                                                                                                  \
		OPT_KEY_ORIGIN, "origin", "ORIGIN", "the Origin to send with it (default AGENT_ORIGIN, else the server's own)"             \
	}

/* Commands that print records (handled by client_option(), client.h). */
#define OPT_JQ                                                                                                                             \
	{                                                                                                                                  \
		OPT_KEY_JQ, "jq", "FILTER", "pass each record through a jq filter; strings it gives are printed raw"                       \
	}

struct cmd {
	const char *name;
	const char *synopsis; /* "[options] RUN [TEXT ...]" */
	const char *about;    /* one line, lower case, no full stop */
	const char *example;  /* one or more complete lines of shell, without prompt */
	const struct opt *opts;
	bool words_are_text;
};

extern const char *opt_arg; /* the argument of the option just returned */

/* Program name; descriptors 0 to 2 open (a closed one fails when used, it is never reused); SIGPIPE at its default even
 * when the parent ignored it; AGENT_ERRORS. The locale stays "C". */
void cmd_init(const struct cmd *cmd);

/* The next option's key, or -1 at their end, when *argv holds the *argc operands. Answers --help, --version, --options,
 * wrong options, -q, -v and --errors itself. Call with main's own argc and argv. */
int opt_next(const struct cmd *cmd, int *argc, char ***argv);

/* A usage error unless the word is one of these (NULL ends them): "unable to use WHAT 'WORD': expected A, B or C". */
void opt_one_of(const char *what, const char *word, const char *const words[]);
#define OPT_ONE_OF(what, word, ...) opt_one_of(what, word, (const char *const[]){ __VA_ARGS__, NULL })

#endif
