/* fault.h - what is said of a runtime's failures: a code, what to do about it, until when. Private to compass/. */
#ifndef COMPASS_FAULT_H
#define COMPASS_FAULT_H

#include "buf.h"
#include "compat.h"
#include "runtime/runtime.h"

/* Of contract/openapi.json, TurnErrorCode. */
const char *fault_code(enum runtime_fault fault);

/* What somebody can do about it; "": who knows. */
const char *fault_hint(enum runtime_fault fault);

/* {"message","code","hint"?,"retryAt"?} of a turn that failed. */
void fault_add(struct buf *to, const struct runtime_end *end);

#endif
