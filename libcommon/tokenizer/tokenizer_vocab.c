#include "tokenizer_impl.h"

#include <stdlib.h>
#include <string.h>

/* ---- GPT-2's alphabet: a printable character for every byte ---- */

/* Bytes that stand for themselves; the other 68 are U+0100, U+0101, ... in order. */
static bool own_char(int byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

static uint32_t char_of_byte(int byte)
{
    uint32_t others = 0;

    if (own_char(byte))
        return (uint32_t)byte;
    for (int b = 0; b < byte; b++)
        others += !own_char(b);
    return 0x100 + others;
}

int byte_level_char(uint8_t byte, char out[2])
{
    const uint32_t c = char_of_byte(byte);

    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
}

static void alphabet(int16_t byte_of[BYTE_CHARS])
{
    memset(byte_of, -1, BYTE_CHARS * sizeof *byte_of);
    for (int b = 0; b < 256; b++)
        byte_of[char_of_byte(b)] = (int16_t)b;
}

void put_byte_level(struct buf *out, const int16_t byte_of[BYTE_CHARS], const char *content,
                    size_t len)
{
    const uint8_t *p = (const uint8_t *)content;

    buf_reserve(out, len);
    char *to = out->p + out->n;

    for (size_t i = 0; i < len; i++) { /* the alphabet ends below three bytes of UTF-8 */
        uint32_t c = p[i];

        if (c >= 0x80)
            c = c < 0xE0 ? (c & 0x1F) << 6 | (p[++i] & 0x3F) : BYTE_CHARS;
        if (c >= BYTE_CHARS || byte_of[c] < 0) {
            buf_add(out, content, len);
            return;
        }
        *to++ = (char)byte_of[c];
    }
    out->n = (size_t)(to - out->p);
}

/* ---- other vocabularies: <0x41>, and U+2581 for a space ---- */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                  : -1;
}

int byte_of_token(const char *content, size_t len)
{
    if (len != 6 || memcmp(content, "<0x", 3) || content[5] != '>')
        return -1;
    const int high = content[3] == '+' ? 0 : hex_digit(content[3]), low = hex_digit(content[4]);

    return high < 0 || low < 0 ? -1 : 16 * high + low;
}

/* What such a token decodes to by itself. */
static void put_plain(struct vocab *v, const char *said, size_t n)
{
    const int byte = byte_of_token(said, n);

    if (byte >= 0)
        buf_putc(&v->arena, (char)byte);
    else
        put_replaced(&v->arena, said, n, &v->space, &blank);
}

/* ---- the table ---- */

static uint32_t hash_of(const char *p, size_t n)
{
    uint64_t h = n * UINT64_C(0x9E3779B97F4A7C15), word;

    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        h = (h ^ word) * UINT64_C(0xBF58476D1CE4E5B9);
        h ^= h >> 29;
    }
    word = 0;
    memcpy(&word, p, n);
    h = (h ^ word) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(h >> 32);
}

void vocab_init(struct vocab *v, size_t n)
{
    *v = (struct vocab){ .slots = 1024, .spelling = v->spelling, .space = v->space };
    while (v->slots < 2 * n && v->slots < 2 * TOKEN_IDS_MAX)
        v->slots *= 2;
    v->slot = xcalloc(v->slots, sizeof *v->slot);
    alphabet(v->byte_of);
}

void vocab_free(struct vocab *v)
{
    free(v->token);
    free(v->slot);
    buf_free(&v->arena);
}

static bool has_content(const struct vocab *v, uint32_t id, const char *content, size_t len)
{
    const struct token *k = v->token + id;

    return k->content_len == len && !memcmp(v->arena.p + k->content, content, len);
}

/* The slot that holds CONTENT, or the free one where it would go. */
static struct vocab_slot *slot_of(const struct vocab *v, uint32_t hash, const char *content,
                                  size_t len)
{
    uint32_t i = hash & (v->slots - 1);

    while (v->slot[i].id_1 &&
           !(v->slot[i].hash == hash && has_content(v, v->slot[i].id_1 - 1, content, len)))
        i = (i + 1) & (v->slots - 1);
    return v->slot + i;
}

/* Keeps half of the slots free. */
static void grow_slots(struct vocab *v)
{
    const struct vocab_slot *old = v->slot;
    const uint32_t n = v->slots;

    if (v->n_tokens < n / 2)
        return;
    v->slots *= 4;
    v->slot = xcalloc(v->slots, sizeof *v->slot);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = old[i].hash & (v->slots - 1);

        if (!old[i].id_1)
            continue;
        while (v->slot[at].id_1)
            at = (at + 1) & (v->slots - 1);
        v->slot[at] = old[i];
    }
    free((void *)(uintptr_t)old);
}

static void grow_ids(struct vocab *v, uint32_t id)
{
    if (id >= v->n_ids_cap) {
        const uint32_t cap = id + id / 2 + 256;

        v->token = xnrealloc(v->token, cap, sizeof *v->token);
        memset(v->token + v->n_ids_cap, 0, (cap - v->n_ids_cap) * sizeof *v->token);
        v->n_ids_cap = cap;
    }
    if (id >= v->n_ids)
        v->n_ids = id + 1;
}

static int too_many_bytes(void)
{
    return err_set(EXIT_DATA, "the tokens are more than 4 GiB together");
}

/* What SAID decodes to, for K; SAID is not in the arena, which may move. */
static void put_bytes(struct vocab *v, struct token *k, const char *said, size_t n)
{
    k->bytes = (uint32_t)v->arena.n;
    if (v->spelling == SPELT_BYTE_LEVEL)
        put_byte_level(&v->arena, v->byte_of, said, n);
    else
        put_plain(v, said, n);
    k->bytes_len = (uint32_t)v->arena.n - k->bytes;
}

int vocab_add(struct vocab *v, const char *content, size_t len, uint32_t id, uint32_t flags)
{
    if (id >= TOKEN_IDS_MAX)
        return err_set(EXIT_DATA, "token %s has the id %u; the largest possible is %d",
                       QUOTED(content, len), id, TOKEN_IDS_MAX - 1);
    if (len > TOKEN_LEN_MAX)
        return err_set(EXIT_DATA, "token %u has %zu bytes; at most %d are possible", id, len,
                       TOKEN_LEN_MAX);
    grow_slots(v);
    grow_ids(v, id);
    struct token *k = v->token + id;
    const uint32_t hash = hash_of(content, len);
    struct vocab_slot *slot = slot_of(v, hash, content, len);

    if (k->flags)
        return err_set(EXIT_DATA, "token %s has the id %u of another", QUOTED(content, len), id);
    if (slot->id_1)
        return err_set(EXIT_DATA, "token %s has two ids, %u and %u", QUOTED(content, len),
                       slot->id_1 - 1, id);
    if (v->arena.n + 2 * len + 2 > UINT32_MAX)
        return too_many_bytes();
    *slot = (struct vocab_slot){ id + 1, hash };
    v->n_tokens++;
    k->flags = TOKEN_PRESENT | flags;
    k->content = k->said = (uint32_t)v->arena.n;
    k->content_len = k->said_len = (uint32_t)len;
    buf_add(&v->arena, content, len);
    buf_putc(&v->arena, 0);
    put_bytes(v, k, content, len);
    return 0;
}

int vocab_say(struct vocab *v, uint32_t id, const char *said, size_t n)
{
    struct token *k = v->token + id;

    if (v->arena.n + 2 * n + 2 > UINT32_MAX)
        return too_many_bytes();
    k->said = (uint32_t)v->arena.n;
    k->said_len = (uint32_t)n;
    buf_add(&v->arena, said, n);
    put_bytes(v, k, said, n);
    return 0;
}

uint32_t vocab_find(const struct vocab *v, const char *content, size_t len)
{
    const uint32_t id_1 = slot_of(v, hash_of(content, len), content, len)->id_1;

    return id_1 ? id_1 - 1 : TOKEN_NONE;
}
