/* nopg.c - this build has no PostgreSQL (./configure --without-postgresql) */
#include "compat.h"

#include "status.h"
#include "store/db.h"

static bool
refuse(struct err *err)
{
	/* the URL is not repeated: there may be a password in it */
	return err_set(err, STATUS_CONFIG, "unable to use the store: this build knows no postgresql://, sqlite:/path only");
}

struct db *
pg_open_db(const char *url, struct err *err)
{
	(void)url;
	refuse(err);
	return NULL;
}

bool
pg_check_db(const char *url, struct err *err)
{
	(void)url;
	return refuse(err);
}
