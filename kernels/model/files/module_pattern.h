/*
 * module_pattern.h - names of modules as PEFT's configs have them: the last parts of a path, or a
 * regular expression of Python's.
 *
 * An expression is turned into a POSIX one, which knows everything that decides whether a whole
 * path matches, but for what looks around (lookahead, boundaries, back references): that is
 * refused.
 */
#ifndef MODULE_PATTERN_H
#define MODULE_PATTERN_H

#include "err.h"

#include <regex.h>
#include <stdbool.h>

struct module_pattern {
    char *text; /* as it was given */
    bool is_expression;
    regex_t expression;
};

/* A list's entry: matches a path that is TEXT or ends in ".TEXT". */
void module_pattern_name(struct module_pattern *p, const char *text);
/* BEFORE, TEXT and BEHIND, an expression of Python's in this order, match a whole path.
 * EXIT_NODEVICE names what is not known here, EXIT_DATA is no expression at all; nothing is to be
 * freed then. */
MUST_USE int module_pattern_expression(struct module_pattern *p, const char *before,
                                       const char *text, const char *behind);
bool module_pattern_matches(const struct module_pattern *p, const char *path);
void module_pattern_free(struct module_pattern *p);

#endif
