/*
 * training_log.h - the JSON lines that lora-train --metrics writes, as arrays of each field.
 *
 * A line is an object of numbers with a whole number `step`, which never falls from line to line. Fields
 * are kept by name, known or not; null is not a number; texts, lists and objects are left out.
 */
#ifndef TRAINING_LOG_H
#define TRAINING_LOG_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

/* One field over the lines that have it. */
struct training_field {
    char *name;
    size_t n;
    double *step, *value; /* value: NAN for null */
};

struct training_log {
    struct training_field *fields; /* in order of appearance, `step` itself left out */
    size_t n;
    char digest[65]; /* SHA-256 of the file's bytes, hexadecimal */
};

enum {
    TRAINING_FIELDS_MAX = 256,
    TRAINING_LINE_MAX = 1 << 20, /* bytes */
};

/* "-" is standard input. EXIT_NOINPUT: it cannot be opened; EXIT_DATA names file and line. Free LOG with
 * training_log_free in either case. */
MUST_USE int training_log_read(struct training_log *log, const char *path);
/* Lent until training_log_free; NULL: no line has it. */
const struct training_field *training_log_field(const struct training_log *log, const char *name);
void training_log_free(struct training_log *log);

#endif
