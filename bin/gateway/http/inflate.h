/* inflate.h - a body that came compressed (RFC 9110 8.4.1): gzip, deflate (the zlib format) and br. Private to http/.
 *
 * One call takes the whole body and stops at the limit, whatever the body promises: a few kilobytes can hold gigabytes. The libraries are
 * loaded when such a body comes.
 */
#ifndef HTTP_INFLATE_H
#define HTTP_INFLATE_H

#include "compat.h"
#include "http/server.h"
#include "jtext.h"

struct buf;

/* Appends what the body is without its coding, at most max bytes. Anything before, after or missing in it is REQUEST_BROKEN; of gzip there
 * may be several members, one after another. `to` is cut back to what it was when the result is another than REQUEST_INFLATED. */
enum request_inflated inflate_body(const char *coding, struct span body, size_t max, struct buf *to);

#endif
