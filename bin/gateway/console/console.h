/* console.h - the door of console/: the status page at / and /status, and its icons
 *
 * Static files that the program carries. They hold no data and no secret, so they are open; what they show comes from the API, with the
 * caller's token. The page may load from this gateway only and runs no inline script or style (Content-Security-Policy).
 */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "compat.h"

struct request;

/* Answers it. False: no such path here (nothing answered). */
bool console_handle(struct request *request) USE_RESULT;

#endif
