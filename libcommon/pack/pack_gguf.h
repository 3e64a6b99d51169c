/* pack_gguf.h - a GGUF file as a pack: what pack.c and tensors.c want of it. */
#ifndef PACK_GGUF_H
#define PACK_GGUF_H

#include "gguf_model.h"
#include "pack.h"

#define PACK_GGUF_NAME "model.gguf"

struct pack_gguf;

/* A pack whose only weights are one GGUF file becomes the Hugging Face folder that this stands for:
 * the file as PACK_GGUF_NAME and what is made of its keys; other files go. Other packs stay. */
MUST_USE int pack_take_gguf(struct pack *p);
/* Makes the bytes of a file that has none yet (data NULL), which stay the pack's. */
void pack_make(const struct pack *p, struct pack_file *f);
/* The tensors of such a pack, sorted by name; NULL and 0 of another one. */
const struct gguf_named *pack_gguf_tensors(const struct pack *p, int *n);
void pack_gguf_free(struct pack_gguf *x);       /* NULL is fine */

#endif
