/* A prompt template: the text, and behind the first 0 a text to fill in. */
#include "../../tools/promptify/template.h"
#include "fuzz.h"
#include "utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    const size_t n = end ? (size_t)(end - data) : size;
    const struct cli_list set = { 0 };
    const struct template_values values = { &set, "a, b" };
    struct buf out = BUF_INIT, text = BUF_INIT;
    struct template *t;
    struct record *r = record_new();

    if (end) /* what a record holds is UTF-8 */
        utf8_replace(&text, (const char *)end + 1, size - n - 1);
    record_set_text(r, "text", text.n ? text.p : "", text.n);
    record_set_uint(r, "id", text.n);
    record_set_float(r, "x", 0.5);
    if (says_why(template_parse(&t, "fuzz", (const char *)data, n)) == 0) {
        (void)says_why(template_prompt(t, r, &values, &out));
        (void)says_why(template_completion(t, r, &values, "answer", 6, &out));
        template_free(t);
    }
    /* A 0 is no more than another byte here. */
    if (says_why(template_parse(&t, "fuzz", (const char *)data, size)) == 0) {
        (void)says_why(template_prompt(t, r, &values, &out));
        template_free(t);
    }
    buf_free(&out);
    buf_free(&text);
    record_free(r);
    return 0;
}
