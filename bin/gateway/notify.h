/* notify.h - tell whoever started us: the sd_notify protocol, a ready descriptor, sockets handed over
 *
 * systemd's protocols (sd_notify(3), sd_listen_fds(3)) spoken directly: one datagram to NOTIFY_SOCKET, one newline to --ready-fd,
 * descriptors from 3 on when LISTEN_PID is ours. All of them silent when nobody asked.
 */
#ifndef NOTIFY_H
#define NOTIFY_H

#include "compat.h"

struct err;

void notify(const char *state); /* "READY=1" */
bool notify_ready_fd(int fd, struct err *err) USE_RESULT;
int notify_listen_fds(void);	  /* how many sockets were handed over, from descriptor 3 on */
int64_t notify_watchdog_ms(void); /* how often WATCHDOG=1 is due; 0: never */

#endif
