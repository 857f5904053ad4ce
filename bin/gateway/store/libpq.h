/* libpq.h - libpq, loaded when a store is named that needs it. Private to store/.
 *
 * A gateway whose store is a file need not carry libpq and the twenty libraries behind it (5 MB resident).
 */
#ifndef STORE_LIBPQ_H
#define STORE_LIBPQ_H

#include <libpq-fe.h>

#include "compat.h"

struct err;

/* Every function of libpq that is used. */
/* clang-format off */
#define LIBPQ_FUNCTIONS(X) \
	X(backendPID) X(clear) X(cmdTuples) X(connectdbParams) X(conninfoFree) X(conninfoParse) X(consumeInput) X(enterPipelineMode) \
	X(errorMessage) X(exec) X(exitPipelineMode) X(finish) X(flush) X(freemem) X(getResult) X(getisnull) X(getlength) X(getvalue) \
	X(isBusy) X(notifies) X(ntuples) X(pipelineStatus) X(pipelineSync) X(resultErrorField) X(resultStatus) X(sendPrepare) X(sendQuery) \
	X(sendQueryParams) X(sendQueryPrepared) X(serverVersion) X(setNoticeReceiver) X(setSingleRowMode) X(setnonblocking) X(socket) \
	X(status)
/* clang-format on */

struct libpq {
#define LIBPQ_MEMBER(name) __typeof__(PQ##name) *name;
	LIBPQ_FUNCTIONS(LIBPQ_MEMBER)
#undef LIBPQ_MEMBER
};

/* Loads it, once for the life of the process. NULL: it is not there; err says why. */
const struct libpq *libpq_load(struct err *err);

#endif
