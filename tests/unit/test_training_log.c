/* The log of a training, and what is none. */
#include "training_log.h"

#include "mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *path;

static int read_text(struct training_log *log, const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return training_log_read(log, path);
}

static void assert_refused(const char *text, int line, const char *want)
{
    struct training_log log;
    char where[64];

    assert_int_equal(read_text(&log, text, strlen(text)), -1);
    assert_int_equal(err_code(), EXIT_DATA);
    (void)snprintf(where, sizeof where, "%s:%d: ", path, line);
    if (line)
        assert_int_equal(strncmp(err_text(), where, strlen(where)), 0);
    if (!strstr(err_text(), want))
        fail_msg("'%s' is not in '%s'", want, err_text());
    training_log_free(&log);
}

static void fields_are_kept_by_name(void **unused)
{
    static const char text[] =
        "{\"step\": 5, \"lr\": 2e-4, \"loss\": 1.5}\n"
        "{\"step\": 5, \"eval_loss\": 1.25, \"note\": \"x\", \"list\": [1]}\r\n"
        "\n"
        "{\"step\": 10, \"lr\": 1e-4, \"loss\": null, \"own\": 3}"; /* no newline */
    struct training_log log;

    (void)unused;
    assert_int_equal(read_text(&log, text, sizeof text - 1), 0);
    assert_int_equal(log.n, 4);
    assert_string_equal(log.fields[0].name, "lr");
    const struct training_field *loss = training_log_field(&log, "loss");

    assert_int_equal(loss->n, 2);
    assert_true(loss->step[0] == 5 && loss->value[0] == 1.5);
    assert_true(loss->step[1] == 10 && isnan(loss->value[1]));
    assert_int_equal(training_log_field(&log, "eval_loss")->n, 1);
    assert_true(training_log_field(&log, "own")->value[0] == 3);
    assert_null(training_log_field(&log, "note"));
    assert_null(training_log_field(&log, "step"));
    assert_int_equal(strlen(log.digest), 64);
    training_log_free(&log);
}

static void what_is_none_is_refused(void **unused)
{
    (void)unused;
    assert_refused("", 0, "no line of training");
    assert_refused("{\"step\": 1, \"loss\": 1}\n{\"step\": 2, \"loss\": }\n", 2, "");
    assert_refused("{\"loss\": 1}\n", 1, "no 'step'");
    assert_refused("[1]\n", 1, "not an object");
    assert_refused("{\"step\": 1.5, \"loss\": 1}\n", 1, "step");
    assert_refused("{\"step\": \"1\", \"loss\": 1}\n", 1, "step");
    assert_refused("{\"step\": -1, \"loss\": 1}\n", 1, "step");
    assert_refused("{\"step\": 9, \"loss\": 1}\n\n{\"step\": 8, \"loss\": 1}\n", 3,
                   "step 8 behind step 9");
    assert_refused("{\"step\": 1, \"loss\": 1e999}\n", 1, "'loss'");
    assert_refused("{\"step\": 1, \"loss\": 1, \"loss\": 2}\n", 1, "");
    assert_refused("{\"step\": 1, \"lo\xff\": 1}\n", 1, "");
    assert_refused("{\"step\": 1}\n", 0, "no line of training");
}

static void sizes_have_limits(void **unused)
{
    struct buf b = BUF_INIT;

    (void)unused;
    buf_puts(&b, "{\"step\": 1");
    for (int i = 0; i <= TRAINING_FIELDS_MAX; i++)
        buf_printf(&b, ", \"f%d\": 1", i);
    buf_puts(&b, "}\n");
    assert_refused(b.p, 1, "more than 256 fields");
    buf_clear(&b);
    buf_puts(&b, "{\"step\": 1, \"loss\": 1}\n");
    for (int i = 0; i <= TRAINING_LINE_MAX; i++)
        buf_putc(&b, ' ');
    assert_refused(b.p, 2, "a line of more than");
    buf_free(&b);
}

static void long_ones_are_read(void **unused)
{
    enum { N = 20000 };
    struct training_log log;
    struct buf b = BUF_INIT;

    (void)unused;
    for (int i = 0; i < N; i++)
        buf_printf(&b, "{\"step\": %d, \"loss\": %d.5}\n", i, i);
    assert_int_equal(read_text(&log, b.p, b.n), 0);
    assert_int_equal(log.fields[0].n, N);
    for (int i = 0; i < N; i++)
        assert_true(log.fields[0].step[i] == i && log.fields[0].value[i] == i + 0.5);
    training_log_free(&log);
    buf_free(&b);
}

static void what_is_not_there_is_said(void **unused)
{
    struct training_log log;

    (void)unused;
    assert_int_equal(training_log_read(&log, "/nowhere/metrics.jsonl"), -1);
    assert_int_equal(err_code(), EXIT_NOINPUT);
    training_log_free(&log);
}

int main(void)
{
    char name[] = "/tmp/training_log.XXXXXX";
    const int fd = mkstemp(name);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_kept_by_name),   cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(sizes_have_limits),         cmocka_unit_test(long_ones_are_read),
        cmocka_unit_test(what_is_not_there_is_said),
    };

    path = name;
    (void)close(fd);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);

    (void)unlink(name);
    return failed;
}
