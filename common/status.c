/* status.c - words for the exit statuses */
#include "compat.h"

#include "status.h"

const char *
status_word(int status)
{
	switch (status) {
#define STATUS_CASE(name, number, word, meaning)                                                                                           \
	case number:                                                                                                                       \
		return word;
		STATUS_TABLE(STATUS_CASE)
#undef STATUS_CASE
	default:
		return "unknown";
	}
}
