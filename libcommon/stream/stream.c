#include "stream.h"

#include "item.h"
#include "share.h"
#include "stream_header.h"
#include "utf8.h"
#include "zstream.h"

#include <stdlib.h>
#include <string.h>

/* ---- kinds ---- */

static const struct {
    enum stream_kind kind;
    const char *name;
} kinds[] = {
    { KIND_EXAMPLES, "examples" },
    { KIND_PROMPTS, "prompts" },
    { KIND_TOKENS, "tokens" },
    { KIND_PREDICTIONS, "predictions" },
};

const char *stream_kind_name(enum stream_kind kind)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i].kind == kind)
            return kinds[i].name;
    return "records";
}

enum stream_kind stream_kind_of(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (!strcmp(kinds[i].name, name))
            return kinds[i].kind;
    return 0;
}

int stream_is_at(const char *path)
{
    static const uint8_t tag[] = { 0xd9, STREAM_TAG >> 8, STREAM_TAG & 0xff };
    uint8_t start[sizeof tag];
    size_t n;

    if (zstd_peek(path, start, sizeof start, &n) < 0)
        return -1;
    return n == sizeof tag && !memcmp(start, tag, sizeof tag);
}

/* ---- labels ---- */

int labels_find(const struct labels *l, const char *text, size_t n)
{
    for (int i = 0; i < l->n; i++)
        if (!strncmp(l->name[i], text, n) && strlen(l->name[i]) == n)
            return i;
    return -1;
}

void labels_add(struct labels *l, const char *text, size_t n)
{
    l->name = xnrealloc(l->name, (size_t)l->n + 1, sizeof *l->name);
    l->name[l->n++] = xstrndup(text, n);
}

void labels_set_answer(struct labels *l, int i, const char *text, size_t n)
{
    if (!l->answer)
        l->answer = xcalloc((size_t)l->n, sizeof *l->answer);
    free(l->answer[i]);
    l->answer[i] = xstrndup(text, n);
}

bool labels_same(const struct labels *a, const struct labels *b)
{
    bool same = a->n == b->n && !a->answer == !b->answer;

    for (int i = 0; same && i < a->n; i++)
        same =
            !strcmp(a->name[i], b->name[i]) && (!a->answer || !strcmp(a->answer[i], b->answer[i]));
    return same;
}

void labels_copy(struct labels *to, const struct labels *from)
{
    *to = (struct labels){ 0 };
    for (int i = 0; i < from->n; i++)
        labels_add(to, from->name[i], strlen(from->name[i]));
    for (int i = 0; from->answer && i < from->n; i++)
        labels_set_answer(to, i, from->answer[i], strlen(from->answer[i]));
}

void labels_free(struct labels *l)
{
    for (int i = 0; i < l->n; i++) {
        free(l->name[i]);
        if (l->answer)
            free(l->answer[i]);
    }
    free(l->name);
    free(l->answer);
    *l = (struct labels){ 0 };
}

/* The names in TEXT between SEPARATOR; empty ones are an error in a list, nothing in a file. */
static int split_names(struct labels *l, const char *text, char separator)
{
    const char stop[] = { separator, 0 };

    for (;;) {
        size_t n = strcspn(text, stop);

        if (separator == '\n' && n && text[n - 1] == '\r')
            n--;
        if (!n && separator == ',')
            return err_set(EXIT_DATA, "a label is empty");
        if (n && labels_find(l, text, n) >= 0)
            return err_set(EXIT_DATA, "the label '%.*s' is there twice", (int)n, text);
        if (l->n == LABELS_MAX)
            return err_set(EXIT_DATA, "more than %d labels", LABELS_MAX);
        if (n)
            labels_add(l, text, n);
        text += strcspn(text, stop);
        if (!*text++)
            return 0;
    }
}

static int check_names(struct buf *text, struct labels *l, char separator)
{
    if (text->n && (memchr(text->p, 0, text->n) || utf8_valid(text->p, text->n) != text->n))
        return err_set(EXIT_DATA, "labels must be valid UTF-8");
    if (split_names(l, text->p ? text->p : "", separator) < 0)
        return -1;
    return l->n >= 2 ? 0
                     : err_set(EXIT_DATA, "at least two labels are needed, there is %s",
                               l->n ? "one" : "none");
}

int labels_load(struct labels *l, const char *name_or_list)
{
    struct buf text = BUF_INIT;
    char *path = NULL;
    const bool list = strchr(name_or_list, ',') != NULL;
    int rc = 0;

    *l = (struct labels){ 0 };
    if (list)
        buf_puts(&text, name_or_list);
    else if (!(path = share_find("labels", name_or_list, "")) ||
             read_text(&text, path, 1 << 20) < 0)
        rc = -1;
    if (!rc && check_names(&text, l, list ? ',' : '\n') < 0) {
        labels_free(l);
        rc = err_in("%s", path ? path : "labels");
    }
    free(path);
    buf_free(&text);
    return rc;
}
