/* redo.h - ahead of the database: what its open transaction has done so far, in a file of its own
 *
 * A commit of SQLite writes whole pages. While batch follows on batch they stay in one transaction, and what each of them has run is
 * written here: the statements and what was bound to them, which is short and goes out in one piece. It is synced before anybody is told.
 * The real commit comes after many of them. After a crash the statements are run again on what the last commit left: the same ones in the
 * same order on the same rows do the same.
 *
 * The file is a chain of segments, each a head and notes. The sum in a head goes on from the one before it, the first one from a salt that
 * the database has from its last commit. So what an older transaction has left in the file, or half of a segment, ends the chain; nothing
 * has to be removed, and the file is written over from its beginning: syncing it changes no size after the first round.
 */
#ifndef STORE_REDO_H
#define STORE_REDO_H

#include "buf.h"
#include "compat.h"
#include "err.h"
#include "jtext.h"

struct db;

#define REDO_KEY "store/redo"	    /* the document that has the salt and, behind a blank, the bytes of the chain that are committed */
#define REDO_MAX (16 * 1024 * 1024) /* bytes after which the database commits, and the chain begins anew */
#define REDO_HEAD 16		    /* bytes of a segment's head: magic, bytes of notes, sum */
#define REDO_VALUES 16		    /* parameters of one statement */

/* ---- notes: a segment that grows while a batch is run */

struct note {
	struct buf bytes;	/* begins with room for the head */
	unsigned number;	/* never 0, another one for each segment */
	unsigned short n_texts; /* statements that are named in it */
};
/* Kept with a statement: where its text is in the note of that number. */
struct noted {
	unsigned note;
	unsigned short index;
};
struct redo_value {
	enum redo_kind { REDO_NULL, REDO_INT, REDO_TEXT, REDO_BLOB } kind;
	int64_t number;
	struct span bytes;
};

void note_init(struct note *note);
void note_release(struct note *note);
void note_begin(struct note *note); /* a new segment; what was in it is dropped */
bool note_is_empty(const struct note *note);
void note_run(struct note *note, struct noted *noted, const char *text, const struct redo_value *values, int n);
/* Moves the segment behind those in `to`, and begins a new one. Nothing when it is empty. */
void note_move(struct note *note, struct buf *to);

/* Runs it again. False: err is filled; part of it may have run. */
bool note_play(struct db *db, struct span notes, struct err *err) USE_RESULT;

/* ---- the file; errors are STATUS_RETRY */

struct redo;
struct redo *redo_new(const char *database);	   /* the file beside it; nothing is opened or made before it is needed */
void redo_prepare(struct redo *redo);		   /* makes the file; if that fails the first write says so */
void redo_free(struct redo *redo);		   /* accepts NULL */
void redo_start(struct redo *redo, uint64_t salt); /* a chain that begins at the file's beginning */
void redo_committed(struct redo *redo, size_t n);  /* the first n bytes of the chain, whole segments, are not run again */
size_t redo_left(const struct redo *redo);	   /* the others: what redo_play() would run again, in bytes */
size_t redo_size(const struct redo *redo);	   /* of the chain so far, in bytes */

/* Appends whole segments, as note_move() left them, and syncs. False: the chain is as it was. */
bool redo_write(struct redo *redo, struct buf *segments, struct err *err) USE_RESULT;

/* Runs the chain again, but for what is committed. all: whatever is in the file, which may be more than this process has written; it goes
 * on behind that. */
bool redo_play(struct redo *redo, struct db *db, bool all, struct err *err) USE_RESULT;

#endif
