/* sha256.h - digests, over OpenSSL's libcrypto. Nothing here fails. */
#ifndef SHA256_H
#define SHA256_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHA256_BYTES = 32, SHA256_HEX = 64 };

struct sha256;

struct sha256 *sha256_new(void);
void sha256_add(struct sha256 *s, const void *bytes, size_t n);
void sha256_done(struct sha256 *s, uint8_t out[SHA256_BYTES]);    /* releases S */
void sha256_peek(const struct sha256 *s, uint8_t out[SHA256_BYTES]);  /* so far; S goes on */
void sha256_free(struct sha256 *s);                                   /* NULL is fine */
void sha256_of(const void *bytes, size_t n, uint8_t out[SHA256_BYTES]);
void sha256_hex(const uint8_t digest[SHA256_BYTES], char out[SHA256_HEX + 1]);
/* Whether the N characters at TEXT are what sha256_hex makes. */
bool sha256_is_hex(const char *text, size_t n);

#endif
