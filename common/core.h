/* core.h - no core file of a program that holds secrets
 *
 * Tokens and conversations are in the memory of who works with them; a core file would put them on the disk, for whoever reads it, and so
 * would a program that the system gives cores to. The soft limit alone is set: a program that we start may raise it again for itself.
 */
#ifndef CORE_H
#define CORE_H

void core_none(void);

#endif
