/* require.h - a condition on a number of the report, such as "accuracy>=0.8". */
#ifndef REQUIRE_H
#define REQUIRE_H

#include "assess.h"

/* EXIT_USAGE unless TEXT is NAME, one of >= <= > < == !=, and a number. */
MUST_USE int require_check(const char *text);
/* 1 when the condition holds, 0 when it does not (NaN holds nothing), -1 when there is no such
 * number. TEXT has been checked. */
MUST_USE int require_holds(const char *text, const struct assessment *a);

#endif
