/*
 * golden.h - recorded results of the real libraries, for tests of the model: all of them where
 * ../shared/golden is there, else the part that the project carries in tests/golden.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "json.h"
#include "mem.h"
#include "files/config_load.h"
#include "run/model.h"
#include "share.h"
#include "tensors.h"

#define must(call)                                                                                 \
    do {                                                                                           \
        if ((call) < 0)                                                                            \
            fail_msg("%s: %s", #call, err_text());                                                 \
    } while (0)

/* The path of PART ("phi-tiny/nf4"), or NULL when neither place has it. Good until the next call.
 */
static inline const char *golden(const char *part)
{
    static char path[512];
    const char *shared = getenv("SHARED");
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/golden/%s", shared ? shared : "../shared", part);
    if (stat(path, &st) == 0)
        return path;
    (void)snprintf(path, sizeof path, "tests/golden/%s", part);
    return stat(path, &st) == 0 ? path : NULL;
}

struct golden_record {
    int id, n, n_prompt;
    uint32_t ids[64];
};

/* Records of MODEL ("phi-tiny") whose split is SPLIT; gives how many. */
static inline int golden_records(struct golden_record *out, int max, const char *model,
                                 const char *split)
{
    struct buf text = BUF_INIT;
    char part[128];
    int n = 0;

    (void)snprintf(part, sizeof part, "%s/records.jsonl", model);
    must(read_file(&text, golden(part), 1 << 20));
    for (char *line = strtok(text.p, "\n"); line; line = strtok(NULL, "\n")) {
        cJSON *json = json_parse(line, strlen(line));

        assert_non_null(json);
        const cJSON *ids = cJSON_GetObjectItem(json, "ids");
        struct golden_record *r = &out[n];

        if (!strcmp(cJSON_GetObjectItem(json, "split")->valuestring, split)) {
            assert_true(n < max);
            *r = (struct golden_record){ .id = cJSON_GetObjectItem(json, "id")->valueint,
                                         .n = cJSON_GetArraySize(ids),
                                         .n_prompt =
                                             cJSON_GetObjectItem(json, "n_prompt")->valueint };
            assert_true(r->n <= 64);
            int i = 0;
            for (const cJSON *it = ids->child; it; it = it->next)
                r->ids[i++] = (uint32_t)it->valueint;
            n++;
        }
        cJSON_Delete(json);
    }
    buf_free(&text);
    return n;
}

/* A safetensors file of MODEL in memory. */
struct golden_file {
    struct buf bytes;
    struct tensors *tensors;
};

static inline void golden_open(struct golden_file *f, const char *model, const char *file)
{
    char part[128];

    *f = (struct golden_file){ 0 };
    (void)snprintf(part, sizeof part, "%s/%s", model, file);
    must(read_file(&f->bytes, golden(part), 64 << 20));
    must(tensors_parse(&f->tensors, part, (const uint8_t *)f->bytes.p, f->bytes.n));
}

static inline void golden_close(struct golden_file *f)
{
    tensors_close(f->tensors);
    buf_free(&f->bytes);
}

#endif
