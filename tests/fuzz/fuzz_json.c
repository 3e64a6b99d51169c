/* JSON: what json_check passes is parsed, and what is parsed has passed. */
#include "fuzz.h"
#include "json.h"
#include "json_walk.h"
#include "utf8.h"

/* Walks all values of the text that begins at P. */
static void walk(const char *p, struct buf *room)
{
    size_t n;

    if (*p == '"') {
        const char *at = p;

        (void)json_string(&at, room, &n);
        must_hold(at == json_end(p), "a string ends where its value does");
    } else if (*p == '{' || *p == '[') {
        const bool object = *p == '{';

        for (p = json_first(p); p; p = json_next(p)) {
            if (object) {
                (void)json_string(&p, room, &n);
                p = json_value(p);
            }
            walk(p, room);
            p = json_end(p);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_INIT, room = BUF_INIT;

    for (size_t mark; (mark = utf8_mark((const char *)data, size)) > 0;) {
        data += mark; /* parsing alone passes over one */
        size -= mark;
    }
    buf_add(&text, data, size); /* with a 0 behind it, as all that walks wants */
    const int valid = says_why(json_check(text.p, size)) == 0;
    cJSON *any = json_parse_any(text.p, size), *strict = json_parse(text.p, size);

    must_hold(valid == (any != NULL), "json_parse_any takes what json_check passes");
    must_hold(!strict || valid, "json_parse takes no more than json_check");
    if (valid)
        walk(json_begin(text.p), &room);
    cJSON_Delete(any);
    cJSON_Delete(strict);
    buf_free(&text);
    buf_free(&room);
    return 0;
}
