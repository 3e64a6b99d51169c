#include "progress.h"

#include "term.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct progress {
    const char *unit;
    int64_t total, done, from; /* FROM of them by an earlier process */
    double start, shown;       /* seconds of the monotonic clock */
    bool json;
    char remark[80];
};

static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct term terminal(void)
{
    struct term t;

    term_of(&t, STDERR_FILENO);
    return t;
}

static bool wants_json(const struct cli_common *common)
{
    return !strcmp(common->progress, "json");
}

bool progress_wanted(const struct cli_common *common)
{
    return wants_json(common) ||
           (!strcmp(common->progress, "auto") && !common->quiet && terminal().shown);
}

struct progress *progress_open(const struct cli_common *common, const char *unit, int64_t total)
{
    if (!progress_wanted(common))
        return NULL;
    struct progress *p = xcalloc(1, sizeof *p);

    p->unit = unit;
    p->total = total;
    p->json = wants_json(common);
    p->start = p->shown = now();
    return p;
}

static void show_json(const struct progress *p, double rate)
{
    struct buf b = BUF_INIT;

    buf_printf(&b, "{\"unit\": \"%s\", \"done\": %lld", p->unit, (long long)p->done);
    if (p->total >= 0)
        buf_printf(&b, ", \"total\": %lld", (long long)p->total);
    buf_printf(&b, ", \"per_s\": %.6g", rate);
    if (*p->remark)
        buf_printf(&b, ", \"remark\": \"%s\"", p->remark);
    (void)fprintf(stderr, "%s}\n", b.p);
    buf_free(&b);
}

/* Appends the line without its last parts that a narrow terminal has no room for: PARTS of them are
 * there. What a reader would miss most comes last to go. */
static void put_line(struct buf *b, const struct progress *p, double rate, int parts)
{
    if (parts > 2)
        buf_printf(b, "%s: ", err_tool());
    buf_printf(b, "%lld", (long long)p->done);
    if (p->total >= 0)
        buf_printf(b, parts > 1 ? " of %lld" : "/%lld", (long long)p->total);
    if (parts > 1)
        buf_printf(b, " %s", p->unit);
    if (parts > 3)
        buf_printf(b, rate < 100 ? ", %.3g/s" : ", %.0f/s", rate);
    if (p->total > p->done && rate > 0) {
        const long left = (long)((double)(p->total - p->done) / rate + 0.5);

        buf_printf(b, ", %ld:%02ld:%02ld left", left / 3600, left / 60 % 60, left % 60);
    }
    if (*p->remark)
        buf_printf(b, ", %s", p->remark);
}

static void show_bar(const struct progress *p, double rate)
{
    const int width = terminal().width - 1; /* it may have changed; the last column stays free */
    struct buf b = BUF_INIT;

    for (int parts = 4; parts >= 1; parts--) {
        buf_clear(&b);
        put_line(&b, p, rate, parts);
        if (b.n <= (size_t)width)
            break;
    }
    (void)fprintf(stderr, "\r%.*s\033[K", width, b.p);
    err_set_open_line(true);
    buf_free(&b);
}

static void show(struct progress *p, double at)
{
    const double rate = at > p->start ? (double)(p->done - p->from) / (at - p->start) : 0;

    p->shown = at;
    p->json ? show_json(p, rate) : show_bar(p, rate);
}

void progress_from(struct progress *p, int64_t done)
{
    if (p)
        p->done = p->from = done;
}

void progress_to(struct progress *p, int64_t done)
{
    if (!p)
        return;
    p->done = done;
    const double at = now();

    if (at - p->shown >= 0.1)
        show(p, at);
}

void progress_say(struct progress *p, int64_t done, const char *remark)
{
    if (!p)
        return;
    (void)snprintf(p->remark, sizeof p->remark, "%s", remark);
    for (char *s = p->remark; *s; s++) /* stays one line and one JSON string */
        if ((unsigned char)*s < ' ' || *s == '"' || *s == '\\')
            *s = ' ';
    progress_to(p, done);
}

void progress_close(struct progress *p)
{
    if (!p)
        return;
    show(p, now());
    if (!p->json)
        (void)fputc('\n', stderr);
    err_set_open_line(false);
    free(p);
}
