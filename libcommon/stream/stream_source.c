#include "stream_source.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BYTES = 1 << 18 };

const char *stream_source_name(const struct stream_source *s)
{
    return strcmp(s->path, "-") ? s->path : "standard input";
}

/* ---- bytes ---- */

static void hash_used(struct stream_source *s)
{
    sha256_add(s->sha, s->bytes + s->hashed, s->pos - s->hashed);
    s->hashed = s->pos;
}

static int too_large(const struct stream_source *s)
{
    return err_set(EXIT_DATA, "%s:#%lld: larger than %d MiB", stream_source_name(s),
                   (long long)s->position, ITEM_BYTES_MAX >> 20);
}

/* Gets more bytes behind those that are not used yet, at least as many again, so that a long record
 * is looked at a few times only. 0 at the end of the file, else 1. zin names the file itself. */
static int fill(struct stream_source *s)
{
    const size_t have = s->end - s->pos;

    hash_used(s);
    if (s->pos)
        memmove(s->bytes, s->bytes + s->pos, have);
    s->hashed = s->pos = 0;
    s->end = have;
    if (have > ITEM_BYTES_MAX)
        return too_large(s);
    if (s->cap < 2 * have + FIRST_BYTES / 2) {
        s->cap = 2 * have + FIRST_BYTES;
        s->bytes = xrealloc(s->bytes, s->cap);
    }
    do {
        size_t got;

        if (zin_read(s->in, s->bytes + s->end, s->cap - s->end, &got) < 0)
            return -1;
        if (!got)
            return s->end > have;
        s->end += got;
    } while (s->end < 2 * have);
    return 1;
}

/* ---- header ---- */

static int parse_header(struct stream_source *s)
{
    struct item first;
    size_t len = 0;
    int rc;

    while ((rc = item_whole(&first, &len, s->bytes + s->pos, s->end - s->pos)) == 0)
        if ((rc = fill(s)) < 0)
            return -1;
        else if (!rc)
            break;
    if (rc > 0 && (first.kind != ITEM_TAG || first.u != STREAM_TAG))
        rc = 0;
    if (!rc)
        rc = err_set(EXIT_DATA,
                     "not a record stream, though it is zstd; split-stratified, promptify and peek "
                     "--from-jsonl make streams");
    if (rc < 0)
        return err_in("%s", stream_source_name(s));
    const uint8_t *const map = s->bytes + s->pos + first.len;
    const size_t map_len = len - first.len;

    if (stream_header_parse(&s->header, map, map_len) < 0)
        return err_in("%s", stream_source_name(s));
    buf_clear(&s->header_bytes);
    buf_add(&s->header_bytes, map, map_len);
    s->pos += len;
    return 0;
}

int stream_source_open(struct stream_source *s)
{
    if (zin_open(&s->in, s->path) < 0)
        return -1;
    s->position = 0;
    s->sha = sha256_new();
    return parse_header(s);
}

static void release(struct stream_source *s)
{
    zin_close(s->in);
    sha256_free(s->sha);
    free(s->bytes);
    s->in = NULL;
    s->sha = NULL;
    s->bytes = NULL;
    s->cap = s->hashed = s->pos = s->end = 0;
}

void stream_source_rest(struct stream_source *s)
{
    if (zin_can_reopen(s->in))
        release(s);
}

void stream_source_close(struct stream_source *s)
{
    release(s);
    stream_header_free(&s->header);
    buf_free(&s->header_bytes);
    buf_free(&s->end_bytes);
}

/* ---- records and the end ---- */

/* A record's names are not empty. */
static bool is_end_map(const struct record *rec)
{
    return record_count(rec) > 0 && record_at(rec, 0)->key_len == 0;
}

/* Nothing may come behind the end map but the seal, which zin checks. */
static int check_rest(struct stream_source *s)
{
    const int more = s->pos < s->end ? 1 : fill(s);

    if (more <= 0)
        return more;
    return err_set(
        EXIT_DATA,
        "%s: there is data behind the end map; give joined streams one by one, or make it again",
        stream_source_name(s));
}

/* The end map REC, LEN bytes at POS: all that it says must be so. */
static int check_end(struct stream_source *s, struct record *rec, size_t len)
{
    struct stream_end e;
    uint8_t digest[SHA256_BYTES];

    hash_used(s);
    sha256_peek(s->sha, digest);
    if (stream_end_read(&e, rec) < 0)
        return err_in("%s", stream_source_name(s));
    buf_clear(&s->end_bytes);
    buf_add(&s->end_bytes, s->bytes + s->pos, len);
    s->pos += len;
    hash_used(s);
    sha256_peek(s->sha, s->digest);
    if (e.records != (uint64_t)s->position)
        return err_set(
            EXIT_DATA, "%s: the end map counts %llu records, there are %lld; make it again",
            stream_source_name(s), (unsigned long long)e.records, (long long)s->position);
    if (memcmp(digest, e.digest, sizeof digest) != 0)
        return err_set(EXIT_DATA,
                       "%s: the SHA-256 in the end map does not fit the records; make it again",
                       stream_source_name(s));
    return check_rest(s);
}

static int no_end(const struct stream_source *s)
{
    const char *advice = zin_advice(s->in, "the program that wrote it has failed");

    if (s->pos < s->end)
        return err_set(EXIT_DATA, "%s:#%lld: cut short inside a record; %s", stream_source_name(s),
                       (long long)s->position, advice);
    return err_set(EXIT_DATA, "%s: ends after %lld records without an end map; %s",
                   stream_source_name(s), (long long)s->position, advice);
}

int stream_source_next(struct stream_source *s, struct record *rec)
{
    size_t len = 0;

    if (!s->in && stream_source_open(s) < 0)
        return -1;
    for (;;) {
        const int rc = record_parse(rec, s->bytes + s->pos, s->end - s->pos, &len, s->position);

        if (rc < 0)
            return err_in("%s:#%lld", stream_source_name(s), (long long)s->position);
        if (rc > 0 && len > ITEM_BYTES_MAX)
            return too_large(s);
        if (rc > 0 && is_end_map(rec))
            return check_end(s, rec, len);
        if (rc > 0)
            break;
        const int more = fill(s);

        if (more <= 0)
            return more < 0 ? -1 : no_end(s);
    }
    s->pos += len;
    s->position++;
    return 1;
}
