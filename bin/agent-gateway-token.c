/*
 * agent-gateway-token - make, list and revoke the tokens of a gateway
 *
 * writes  create: {"token","id","user","workspaces","scopes","createdAt","expiresAt"}; the token is told this once
 *         list:   the same without the token, one record each, with "state"
 *         revoke: {"id","revoked"}
 *
 * Works on the file of the gateway's state directory, with or without a gateway: a running one sees the change with the next request.
 */
#include "compat.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "audit.h"
#include "buf.h"
#include "clock.h"
#include "die.h"
#include "err.h"
#include "jtext.h"
#include "num.h"
#include "opt.h"
#include "out.h"
#include "statedir.h"
#include "token.h"

#define EXPIRES_DEFAULT_MS (INT64_C(90) * 24 * 3600 * 1000)

enum { OPT_STATE = OPT_OWN, OPT_STORE, OPT_USER, OPT_WORKSPACE, OPT_SCOPE, OPT_EXPIRES, OPT_ALL };

static const struct opt opts[] = {
	{ OPT_STATE, "state", "DIR", "the gateway's state (default STATE_DIRECTORY, else a directory under XDG_STATE_HOME)" },
	{ OPT_STORE, "store", "URL", "the gateway's log, sqlite:/path, instead of --state" },
	{ OPT_USER, "user", "NAME", "create: whose token it is" },
	{ 'w', "workspace", "SLUG", "create: a workspace that it is good for; may be given several times (default: all of them)" },
	{ OPT_SCOPE, "scope", "SCOPE", "create: read, write or admin; may be given several times (default: read and write)" },
	{ OPT_EXPIRES, "expires", "DURATION", "create: how long it is good, or never (default 90d)" },
	{ 'o', "output", "FILE", "create: write the token to a new file, mode 0600, and not into the record" },
	{ OPT_ALL, "all", NULL, "list: those that are revoked or have expired too" },
	OPT_STD,
	OPT_END,
};

static const struct cmd cmd = {
	.name = "agent-gateway-token",
	.synopsis = "[options] create|list|revoke [ID ...]",
	.about = "make, list and revoke the tokens of a gateway",
	.example = "  agent-gateway-token create --user ann --workspace acme --output ann.token",
	.opts = opts,
};

struct wish {
	const char *state, *store, *user, *output;
	const char *workspaces[TOKEN_WORKSPACES_MAX];
	size_t n_workspaces;
	unsigned scopes;
	int64_t expires_ms; /* from now; TOKEN_NEVER */
	bool all, creates;  /* creates: an option that only create has was given */
};

/* What was decided when nobody else could change it. */
static int
open_tokens(const char *file, struct tokens *tokens)
{
	struct err err = ERR_INIT;
	int lock;

	if (!statedir_make_for(file, &err))
		die_err(&err);
	lock = tokens_lock(file, &err);
	if (lock < 0 || !tokens_read(tokens, file, &err))
		die_err(&err);
	return lock;
}

/* That it was done, and by whom, stands where the gateway writes such things. */
static void
note(const char *file, const char *action, const char *id)
{
	struct audit audit = AUDIT_INIT;
	struct passwd *account = getpwuid(geteuid());
	struct audit_entry entry = { .peer = "local", .action = action, .subject = id };
	struct buf user = BUF_INIT;
	struct err err = ERR_INIT;

	if (account)
		buf_addstr(&user, account->pw_name);
	else
		buf_addf(&user, "%ld", (long)geteuid());
	entry.user = user.s;
	if (audit_open(&audit, file, &err))
		audit_add(&audit, &entry);
	if (err.status || !audit_write(&audit, &err))
		warn_err(&err);
	audit_close(&audit);
	buf_release(&user);
}

static void
save(const struct tokens *tokens, const char *file)
{
	struct err err = ERR_INIT;

	if (!tokens_write(tokens, file, &err))
		die_err(&err);
}

/* The file first: a token that cannot be handed over must not exist. */
static int
open_output(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		die_errno(STATUS_IO, "unable to create '%s'", path);
	return fd;
}

static int
create(const struct wish *wish, const char *file, const char *audit)
{
	struct buf secret = BUF_INIT, record = BUF_INIT;
	struct tokens tokens = TOKENS_INIT;
	struct err err = ERR_INIT;
	int64_t now = clock_wall_ms();
	struct token *token;
	int lock = open_tokens(file, &tokens), output = -1;

	token = tokens_add(&tokens, wish->user, (char *const *)(uintptr_t)wish->workspaces, wish->n_workspaces, wish->scopes, now,
	    wish->expires_ms == TOKEN_NEVER ? TOKEN_NEVER : now + wish->expires_ms, &secret, &err);
	if (!token)
		die_err(&err);
	if (wish->output) {
		output = open_output(wish->output);
		buf_addch(&secret, '\n');
		if (buf_write_fd(&secret, output) != secret.len || fsync(output) < 0 || close(output) < 0) {
			err_errno(&err, STATUS_IO, "unable to write '%s'", wish->output);
			unlink(wish->output);
			die_err(&err);
		}
	}
	if (!tokens_write(&tokens, file, &err)) {
		if (wish->output)
			unlink(wish->output);
		die_err(&err);
	}
	note(audit, "token.create", token->id);
	buf_addch(&record, '{');
	if (!wish->output)
		jtext_add_buf(&record, "token", &secret);
	token_add_members(token, false, &record);
	buf_addch(&record, '}');
	out_line(record.s, record.len);
	memset(secret.s, 0, secret.len);
	buf_release(&secret);
	buf_release(&record);
	tokens_release(&tokens);
	close(lock);
	return out_close();
}

static int
list(const struct wish *wish, const char *file)
{
	struct tokens tokens = TOKENS_INIT;
	struct err err = ERR_INIT;
	struct buf record = BUF_INIT;
	int64_t now = clock_wall_ms();
	size_t i;

	if (!tokens_read(&tokens, file, &err))
		die_err(&err);
	for (i = 0; i < tokens.n; i++) {
		const struct token *token = &tokens.items[i];
		const char *state = token->revoked_ms != TOKEN_NEVER ? "revoked" : token->expires_ms <= now ? "expired" : "active";

		if (!wish->all && strcmp(state, "active"))
			continue;
		buf_reset(&record);
		buf_addch(&record, '{');
		token_add_members(token, false, &record);
		jtext_add_text(&record, "state", state);
		buf_addch(&record, '}');
		out_line(record.s, record.len);
	}
	buf_release(&record);
	tokens_release(&tokens);
	return out_close();
}

static int
revoke_all(char *const *ids, int n, const char *file, const char *audit)
{
	struct tokens tokens = TOKENS_INIT;
	struct buf records = BUF_INIT;
	int64_t now = clock_wall_ms();
	int i, lock = open_tokens(file, &tokens), status = STATUS_OK;
	size_t k;

	for (i = 0; i < n; i++) {
		struct token *token = tokens_find(&tokens, ids[i], strlen(ids[i]));

		if (!token) {
			warn("unable to revoke '%s': there is no such token", ids[i]);
			status = status_worse(status, STATUS_NO);
			continue;
		}
		if (token->revoked_ms == TOKEN_NEVER)
			token->revoked_ms = now;
		buf_addch(&records, '{');
		jtext_add_string(&records, "id", token->id, TOKEN_ID_LEN);
		jtext_add_bool(&records, "revoked", true);
		buf_addstr(&records, "}\n");
	}
	save(&tokens, file); /* before it is said */
	for (k = 0; k < tokens.n; k++)
		if (tokens.items[k].revoked_ms == now)
			note(audit, "token.revoke", tokens.items[k].id);
	out_write(records.s, records.len);
	buf_release(&records);
	tokens_release(&tokens);
	close(lock);
	return status_worse(status, out_close());
}

static void
take_option(struct wish *wish, int key)
{
	struct err err = ERR_INIT;
	unsigned scope;

	wish->creates = wish->creates || key == OPT_USER || key == 'w' || key == OPT_SCOPE || key == OPT_EXPIRES || key == 'o';
	switch (key) {
	case OPT_STATE:
		wish->state = opt_arg;
		break;
	case OPT_STORE:
		wish->store = opt_arg;
		break;
	case OPT_USER:
		wish->user = opt_arg;
		break;
	case 'w':
		if (wish->n_workspaces == TOKEN_WORKSPACES_MAX)
			die_usage("--workspace can be given %d times", TOKEN_WORKSPACES_MAX);
		wish->workspaces[wish->n_workspaces++] = opt_arg;
		break;
	case OPT_SCOPE:
		scope = token_scope(opt_arg, strlen(opt_arg));
		if (!scope)
			die_usage("unable to use --scope '%s': expected read, write or admin", opt_arg);
		wish->scopes |= scope;
		break;
	case OPT_EXPIRES:
		if (!strcmp(opt_arg, "never"))
			wish->expires_ms = TOKEN_NEVER;
		else if (!num_duration(opt_arg, "--expires", &wish->expires_ms, &err))
			die_usage("%s", err.text);
		break;
	case 'o':
		wish->output = opt_arg;
		break;
	case OPT_ALL:
		wish->all = true;
		break;
	default:
		break;
	}
}

int
main(int argc, char *argv[])
{
	struct wish wish = { .expires_ms = EXPIRES_DEFAULT_MS };
	struct buf where = BUF_INIT, file = BUF_INIT, audit = BUF_INIT;
	struct err err = ERR_INIT;
	int key, status;

	cmd_init(&cmd);
	while ((key = opt_next(&cmd, &argc, &argv)) != -1)
		take_option(&wish, key);
	if (wish.state && wish.store)
		die_usage("--state and --store cannot be given together");
	if (argc < 1)
		die_usage("a word is missing: create, list or revoke");
	if (strcmp(*argv, "create") && wish.creates)
		die_usage("only create has a user, workspaces, scopes, an end and an output");
	if (strcmp(*argv, "revoke") && argc > 1)
		die_usage("unexpected operand '%s'", argv[1]);
	if (!statedir_find(wish.state, wish.store, &where, &err))
		die_err(&err);
	statedir_file(where.s, "tokens", &file);
	statedir_file(where.s, "audit.ndjson", &audit);
	if (!strcmp(*argv, "create")) {
		if (!wish.user)
			die_usage("--user is missing");
		wish.scopes = wish.scopes ? wish.scopes : TOKEN_READ | TOKEN_WRITE;
		status = create(&wish, file.s, audit.s);
	} else if (!strcmp(*argv, "list"))
		status = list(&wish, file.s);
	else if (!strcmp(*argv, "revoke")) {
		if (argc < 2)
			die_usage("an id is missing");
		status = revoke_all(argv + 1, argc - 1, file.s, audit.s);
	} else
		die_usage("unknown word '%s': expected create, list or revoke", *argv);
	buf_release(&where);
	buf_release(&file);
	buf_release(&audit);
	return status;
}
