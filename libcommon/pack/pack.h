/*
 * pack.h - a model or an adapter as a set of named files: a folder, .tar, .tar.zst (.tgz, .zip),
 * or "-" for a tar on standard input; "hf:org/name" is the folder in the local Hugging Face cache.
 *
 * A GGUF file, alone or as the only weights in any of these, is opened as the folder that it stands
 * for: config.json, tokenizer.json and what else it says, made from its keys, beside the file itself as
 * model.gguf. Its tensors (tensors_open) have Hugging Face's names.
 *
 * Folders and plain tars are memory-mapped and never copied; compressed ones are read into memory.
 * Nothing is extracted to disk, nothing is opened over a network, no file outside the folder is
 * followed except through the links of a Hugging Face cache. Names are checked: relative, no "..".
 */
#ifndef PACK_H
#define PACK_H

#include "err.h"
#include "outfile.h"
#include "sha256.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pack;
struct pack_file {
    const char *name;
    const uint8_t *data;    /* mapped or in memory; constant, good until pack_close */
    size_t size;
};

/* EXIT_NOINPUT: it cannot be opened; EXIT_IO: it cannot be read; EXIT_DATA: it is damaged, or holds what no
 * pack may. The line names the path. */
MUST_USE int pack_open(struct pack **p, const char *path);
void pack_close(struct pack *p);                        /* NULL is fine */
const char *pack_name(const struct pack *p);            /* for messages: the path as given */
bool pack_is_gguf(const struct pack *p);                /* opened from a GGUF file */
/* NULL when absent (no error is set). A common top folder inside an archive is looked through. */
const struct pack_file *pack_find(const struct pack *p, const char *name);
/* The error for a pack where config.json is missing: what it is instead. Returns -1. */
int pack_no_model(const struct pack *p);
int pack_count(const struct pack *p);
const struct pack_file *pack_at(const struct pack *p, int i);   /* sorted by name */
/* N bytes at DATA are not read again soon: pages of a mapped file stop counting as this process's
 * memory, and are mapped anew when they are read after all. Others stay. */
void pack_let_go(const struct pack *p, const uint8_t *data, size_t n);
/* SHA-256 over names and contents of the files that make the model: *.json and *.safetensors,
 * sorted by name; of a GGUF model that file alone. Independent of folder or tar. */
void pack_digest(const struct pack *p, uint8_t out[SHA256_BYTES]);
/* Adds what any digest over several files takes of one: name, size and bytes. */
void pack_add_digest(struct sha256 *s, const char *name, const void *bytes, size_t n);

/* Writing. FORM by name: "DIR/" a folder, "*.tar" a plain tar, else .tar.zst at LEVEL ("-" too).
 * Archives are deterministic: no time, owner 0, mode 0644, files in the order they are put. */
struct pack_writer;
/* NAMES as outdir_open has them: what else a folder holds is not replaced. EXIT_CREATE: PATH cannot be
 * written, or is there and not FORCE. After an error of any function below but pack_commit
 * W is good for pack_abort alone. */
MUST_USE int pack_create(struct pack_writer **w, const char *path, bool force, int level,
                         const char *const *names);
/* Sets BYTES aside for all that will be put, as outfile_reserve does, until the first pack_begin. */
MUST_USE int pack_reserve(struct pack_writer *w, uint64_t bytes);
/* One file: begin with its exact SIZE, then bytes, then end. */
MUST_USE int pack_begin(struct pack_writer *w, const char *name, uint64_t size);
MUST_USE int pack_write(struct pack_writer *w, const void *bytes, size_t n);
MUST_USE int pack_end(struct pack_writer *w);
/* Files of a folder need not come from beginning to end: bytes may be put at their OFFSET, each
 * once, by several threads at once, beside those of pack_write, which come first. */
bool pack_is_folder(const struct pack_writer *w);
MUST_USE int pack_write_at(struct pack_writer *w, uint64_t offset, const void *bytes, size_t n);
MUST_USE int pack_put(struct pack_writer *w, const char *name, const void *bytes, size_t n);
/* All is on the disk: only the name is missing (outfile_sync). */
MUST_USE int pack_sync(struct pack_writer *w);
MUST_USE int pack_commit(struct pack_writer *w);        /* releases W either way */
void pack_abort(struct pack_writer *w);                 /* releases W, leaves nothing; NULL is fine */

#endif
