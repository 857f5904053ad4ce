/* auth.h - where the secret of a remote agent comes from. Private to mcp/.
 *
 * A reference, never the secret itself, stands in the manifest (spec.origin.authRef):
 *   env:NAME                the variable NAME, as a bearer token
 *   file:PATH               a file under the root of secrets, as a bearer token
 *   header_env:HEADER:NAME  the variable NAME, as the header HEADER
 *   WORD                    the variable CLARITY_REMOTE_AUTH_<WORD>, upper case, other characters "_"
 * It is looked up for each request, so that a secret that changes is taken without a restart.
 */
#ifndef MCP_AUTH_H
#define MCP_AUTH_H

#include "buf.h"
#include "compat.h"

struct err;

#define MCP_SECRET_MAX 16384 /* bytes of a secret */

/* Appends the header line. root: the directory that file: references are meant from and must stay in. Errors (STATUS_CONFIG) name the
 * variable or the file, never what is in it. */
bool mcp_auth_header(const char *ref, const char *root, struct buf *to, struct err *err) USE_RESULT;

/* The directory of secrets: CLARITY_REMOTE_AUTH_FILE_ROOT, else CREDENTIALS_DIRECTORY, else .clarity/secrets. */
const char *mcp_auth_root(void);

#endif
