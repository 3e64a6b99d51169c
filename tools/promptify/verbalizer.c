#include "verbalizer.h"

#include "utf8.h"

#include <string.h>

/* One line without its end. */
static int add_line(struct verbalizer *v, const char *line, size_t n)
{
    const char *tab = memchr(line, '\t', n);
    const size_t len = tab ? (size_t)(tab - line) : 0;

    if (len == 0 || len + 1 == n)
        return err_set(EXIT_DATA, "is not a label, a tab and its answer");
    if (labels_find(&v->labels, line, len) >= 0)
        return err_set(EXIT_DATA, "label '%.*s' is there twice", (int)len, line);
    labels_add(&v->labels, line, len);
    labels_add(&v->answers, tab + 1, n - len - 1);
    return 0;
}

int verbalizer_parse(struct verbalizer *v, const char *name, const char *text, size_t n)
{
    const size_t good = utf8_valid(text, n);
    const char *p = text;
    int line = 0, rc = 0;

    *v = (struct verbalizer){ 0 };
    if (good < n || memchr(text, 0, n))
        return err_set(EXIT_DATA, "%s: is not UTF-8 text", name);
    while (rc == 0 && p < text + n) {
        const char *nl = memchr(p, '\n', (size_t)(text + n - p));
        const char *end = nl ? nl : text + n;
        const size_t len = (size_t)(end - p) - (end > p && end[-1] == '\r');

        line++;
        if (len > 0)
            rc = add_line(v, p, len);
        p = end + 1;
    }
    if (rc == 0 && v->labels.n == 0)
        return err_set(EXIT_DATA, "%s: is empty; it has lines of label, tab, answer", name);
    if (rc < 0) {
        verbalizer_free(v);
        return err_in("%s:%d", name, line);
    }
    return 0;
}

const char *verbalizer_answer(const struct verbalizer *v, const char *label, size_t n)
{
    const int i = labels_find(&v->labels, label, n);

    if (i >= 0)
        return v->answers.name[i];
    (void)err_set(EXIT_DATA, "label '%.*s' has no answer in the verbalizer; give it one there",
                  (int)n, label);
    return NULL;
}

void verbalizer_free(struct verbalizer *v)
{
    labels_free(&v->labels);
    labels_free(&v->answers);
}
