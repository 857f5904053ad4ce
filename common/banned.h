/* banned.h - calls that truncate, overflow, guess or keep hidden state do not compile here
 *
 * The headers that declare them come first, so that only our own uses are hit.
 */
#ifndef BANNED_H
#define BANNED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#undef strcpy
#undef strcat
#undef strncpy
#undef strncat
#undef sprintf
#undef vsprintf
#undef strtok
#undef gmtime
#undef localtime
#undef atoi
#undef atol
#undef atof
#undef asctime
#undef ctime
#undef tmpnam
#undef mktemp
#define strcpy(a, b) banned_use_struct_buf
#define strcat(a, b) banned_use_struct_buf
#define strncpy(a, b, c) banned_use_struct_buf
#define strncat(a, b, c) banned_use_struct_buf
#define sprintf(...) banned_use_buf_addf
#define vsprintf(a, b, c) banned_use_buf_addf
#define strtok(a, b) banned_use_a_scanner
#define gmtime(a) banned_use_gmtime_r
#define localtime(a) banned_use_localtime_r
#define atoi(a) banned_use_num_h
#define atol(a) banned_use_num_h
#define atof(a) banned_use_num_h
#define asctime(a) banned_use_clock_h
#define ctime(a) banned_use_clock_h
#define tmpnam(a) banned_use_mkstemp
#define mktemp(a) banned_use_mkstemp

#endif
