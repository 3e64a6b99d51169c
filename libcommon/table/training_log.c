#include "training_log.h"

#include "json.h"
#include "lines.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct training_field *field_for(struct training_log *log, const char *name)
{
    for (size_t i = 0; i < log->n; i++)
        if (!strcmp(log->fields[i].name, name))
            return &log->fields[i];
    if (log->n == TRAINING_FIELDS_MAX)
        return NULL;
    log->fields = xnrealloc(log->fields, log->n + 1, sizeof *log->fields);
    log->fields[log->n] = (struct training_field){ .name = xstrdup(name) };
    return &log->fields[log->n++];
}

static void add(struct training_field *f, double step, double value)
{
    if (!(f->n & (f->n - 1))) { /* room for a power of two */
        f->step = xnrealloc(f->step, f->n ? 2 * f->n : 1, sizeof *f->step);
        f->value = xnrealloc(f->value, f->n ? 2 * f->n : 1, sizeof *f->value);
    }
    f->step[f->n] = step;
    f->value[f->n++] = value;
}

static int take_fields(struct training_log *log, const cJSON *o, double step)
{
    for (const cJSON *v = o->child; v; v = v->next) {
        if ((!cJSON_IsNumber(v) && !cJSON_IsNull(v)) || !strcmp(v->string, "step"))
            continue;
        if (cJSON_IsNumber(v) && !isfinite(v->valuedouble))
            return err_set(EXIT_DATA, "'%.100s' is too large for a number", v->string);

        struct training_field *f = field_for(log, v->string);

        if (!f)
            return err_set(EXIT_DATA, "more than %d fields; not a log of training",
                           TRAINING_FIELDS_MAX);
        add(f, step, cJSON_IsNumber(v) ? v->valuedouble : NAN);
    }
    return 0;
}

static int take_line(struct training_log *log, const char *line, size_t n, int64_t *step)
{
    int64_t now;
    cJSON *o = json_parse(line, n);
    int rc = o ? 0 : -1;

    if (rc == 0 && !cJSON_IsObject(o))
        rc = err_set(EXIT_DATA, "not an object; lora-train --metrics writes one a line");
    if (rc == 0 && (rc = json_int(o, "step", &now, 0, (int64_t)1 << 53)) == 0)
        rc = err_set(EXIT_DATA, "no 'step'; lora-train --metrics writes it into each line");
    if (rc > 0 && now < *step)
        rc = err_set(EXIT_DATA, "step %lld behind step %lld; the log of one run is wanted",
                     (long long)now, (long long)*step);
    if (rc > 0) {
        *step = now;
        rc = take_fields(log, o, (double)now);
    }
    cJSON_Delete(o);
    return rc;
}

static int read_lines(struct training_log *log, struct lines *l)
{
    const char *line;
    int64_t step = 0;
    size_t n;
    int rc;

    while ((rc = lines_next(l, &line, &n)) > 0) {
        if (n > TRAINING_LINE_MAX)
            rc = err_set(EXIT_DATA, "a line of more than %d bytes; not a log of training",
                         TRAINING_LINE_MAX);
        else if (n > 0)
            rc = take_line(log, line, n, &step);
        if (rc < 0)
            return err_in("%s:%lld", lines_name(l), lines_number(l));
    }
    return rc;
}

int training_log_read(struct training_log *log, const char *path)
{
    uint8_t digest[SHA256_BYTES];
    struct lines *l;

    *log = (struct training_log){ 0 };
    if (lines_open(&l, path) < 0)
        return -1;
    int rc = read_lines(log, l);

    if (rc == 0 && !log->n)
        rc = err_set(EXIT_DATA, "%s: no line of training in it", lines_name(l));
    lines_digest(l, digest);
    sha256_hex(digest, log->digest);
    lines_close(l);
    return rc;
}

const struct training_field *training_log_field(const struct training_log *log, const char *name)
{
    for (size_t i = 0; i < log->n; i++)
        if (!strcmp(log->fields[i].name, name))
            return &log->fields[i];
    return NULL;
}

void training_log_free(struct training_log *log)
{
    for (size_t i = 0; i < log->n; i++) {
        free(log->fields[i].name);
        free(log->fields[i].step);
        free(log->fields[i].value);
    }
    free(log->fields);
    *log = (struct training_log){ 0 };
}
