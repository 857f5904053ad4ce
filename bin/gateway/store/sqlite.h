/* sqlite.h - between the file that is opened (sqlite_open.c) and what is done with it (sqlite.c). Private to both. */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include "compat.h"

struct db;
struct err;
struct sqlite3;

struct db *sqlite_db(struct sqlite3 *handle); /* takes the handle, which may be NULL or none to work with: db_close() closes it */
/* Its threads; before that nothing is handed over or committed behind. */
bool sqlite_start(struct db *db, const char *file, struct err *err) USE_RESULT;

#endif
