/* require.h - a condition on a number of the report, such as "accuracy>=0.8". */
#ifndef REQUIRE_H
#define REQUIRE_H

#include "cli.h"
#include "comparison.h"

/* EXIT_USAGE unless TEXT is NAME, one of >= <= > < == !=, and a number. */
MUST_USE int require_check(const char *text);
/* About A, or about C where A is NULL: 1 when all conditions hold, 0 when one does not (NaN holds nothing),
 * which one is told on standard error, with the value of the field BY (may be NULL); -1 when there is no
 * such number. All have been checked. */
MUST_USE int require_all(const struct cli_list *conditions, const struct assessment *a,
                         const struct comparison *c, const char *by);

#endif
