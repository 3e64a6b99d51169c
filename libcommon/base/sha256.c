/* libcrypto's own door to SHA-256, which needs nothing else started: EVP loads providers first, and
 * that takes as long as all the rest of a small tool. Deprecated since 3.0 for its plain name. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "sha256.h"

#include "mem.h"

#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

struct sha256 {
    SHA256_CTX ctx;
};

struct sha256 *sha256_new(void)
{
    struct sha256 *s = xmalloc(sizeof *s);

    (void)SHA256_Init(&s->ctx);
    return s;
}

void sha256_add(struct sha256 *s, const void *bytes, size_t n)
{
    if (n)
        (void)SHA256_Update(&s->ctx, bytes, n);
}

void sha256_done(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
    (void)SHA256_Final(out, &s->ctx);
    free(s);
}

void sha256_peek(const struct sha256 *s, uint8_t out[SHA256_BYTES])
{
    struct sha256 copy = *s;

    (void)SHA256_Final(out, &copy.ctx);
}

void sha256_free(struct sha256 *s)
{
    free(s);
}

void sha256_of(const void *bytes, size_t n, uint8_t out[SHA256_BYTES])
{
    struct sha256 *s = sha256_new();

    sha256_add(s, bytes, n);
    sha256_done(s, out);
}

void sha256_hex(const uint8_t digest[SHA256_BYTES], char out[SHA256_HEX + 1])
{
    static const char digit[] = "0123456789abcdef";

    for (int i = 0; i < SHA256_BYTES; i++) {
        out[2 * i] = digit[digest[i] >> 4];
        out[2 * i + 1] = digit[digest[i] & 15];
    }
    out[SHA256_HEX] = 0;
}

bool sha256_is_hex(const char *text, size_t n)
{
    size_t i = 0;

    while (i < n && memchr("0123456789abcdef", text[i], 16))
        i++;
    return i == n && n == SHA256_HEX;
}
