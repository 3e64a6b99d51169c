#include "sha256.h"

#include "err.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

/* An EVP_MD_CTX under our own name: no header of ours shows OpenSSL's. */
static EVP_MD_CTX *ctx(struct sha256 *s)
{
    return (EVP_MD_CTX *)(void *)s;
}

/* SHA-256 cannot fail on any input; what can is OpenSSL's own start. */
static void must(int done)
{
    if (!done)
        die(EXIT_NUMERIC, "cannot compute SHA-256; the installed libcrypto is broken");
}

struct sha256 *sha256_new(void)
{
    /* The system's openssl.cnf neither speeds this up nor may change it. */
    must(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL));
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    must(c != NULL);
    must(EVP_DigestInit_ex(c, EVP_sha256(), NULL));
    return (struct sha256 *)(void *)c;
}

void sha256_add(struct sha256 *s, const void *bytes, size_t n)
{
    must(EVP_DigestUpdate(ctx(s), bytes, n));
}

void sha256_done(struct sha256 *s, uint8_t out[SHA256_BYTES])
{
    must(EVP_DigestFinal_ex(ctx(s), out, NULL));
    EVP_MD_CTX_free(ctx(s));
}

void sha256_peek(const struct sha256 *s, uint8_t out[SHA256_BYTES])
{
    EVP_MD_CTX *copy = EVP_MD_CTX_new();

    must(copy != NULL);
    must(EVP_MD_CTX_copy_ex(copy, (const EVP_MD_CTX *)(const void *)s));
    must(EVP_DigestFinal_ex(copy, out, NULL));
    EVP_MD_CTX_free(copy);
}

void sha256_free(struct sha256 *s)
{
    EVP_MD_CTX_free(ctx(s));
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
