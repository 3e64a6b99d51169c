/*
 * tensors.h - the tensors of safetensors files, one or many shards, or of a GGUF file, checked before
 * anyone sees one.
 *
 * Checked: header length against the file, strict JSON, known dtypes, shapes whose product fits and
 * equals the byte range, ranges that cover the data from 0 to the end without hole or overlap, no
 * name twice (also over shards), shard index against the shards. Only then are pointers given.
 */
#ifndef TENSORS_H
#define TENSORS_H

#include "dtype.h"
#include "pack.h"

enum { TENSOR_RANK_MAX = 8 };

struct tensor {
    const char *name;
    enum dtype dtype;
    int rank;
    int64_t shape[TENSOR_RANK_MAX];
    int64_t n;              /* product of shape */
    const uint8_t *data;    /* little-endian; aligned to the element size or copied to be so; blocks
                               (dtype_is_blocks) lie at any address: their parts are read by memcpy */
    size_t bytes;
};

struct tensors;

/* All tensors of a pack: model.safetensors, or the shards of model.safetensors.index.json, or
 * adapter_model.safetensors; STEM is "model" or "adapter_model". Those of a GGUF file have the shapes
 * and the order of rows that Hugging Face's have, and the type that they are stored in.
 * P must outlive T. EXIT_NOINPUT: there are none; EXIT_DATA names the file and what is wrong. */
MUST_USE int tensors_open(struct tensors **t, const struct pack *p, const char *stem);
/* One safetensors file in memory; NAME for messages. DATA must outlive T. */
MUST_USE int tensors_parse(struct tensors **t, const char *name, const uint8_t *data, size_t size);
/* NULL is fine. What T gave out, also data that was copied to be aligned, is good until then. */
void tensors_close(struct tensors *t);
int tensors_count(const struct tensors *t);
const struct tensor *tensors_at(const struct tensors *t, int i);    /* sorted by name */
const struct tensor *tensors_find(const struct tensors *t, const char *name);   /* NULL: absent */
/* A key of the __metadata__: the chain of the programs that made an adapter, as JSON text. */
#define TENSORS_CHAIN "slmtools_chain"
/* The file's __metadata__ value for KEY, or NULL. */
const char *tensors_metadata(const struct tensors *t, const char *key);

/*
 * Writing one safetensors file into a pack, byte for byte as the safetensors library would:
 * sorted by dtype (largest first) then name, "__metadata__":{"format":"pt"} first, padded header.
 * Declare all tensors, then tensors_write_begin, then give the data of each in the order of
 * tensors_write_order (an array of indices into what was declared).
 */
struct tensors_writer;
struct tensors_writer *tensors_writer_new(void);             /* tensors_write_end or _free releases it */
/* Before tensors_write_begin: text for the file's __metadata__, behind its "format". */
void tensors_describe(struct tensors_writer *w, const char *key, const char *value);
int tensors_declare(struct tensors_writer *w, const char *name, enum dtype t, int rank,
                    const int64_t *shape);                   /* copies all; gives the index */
MUST_USE int tensors_write_begin(struct tensors_writer *w, struct pack_writer *out, const char *file);
const int *tensors_write_order(const struct tensors_writer *w);
MUST_USE int tensors_write_data(struct tensors_writer *w, const void *bytes, size_t n); /* in pieces */
/* Where pack_is_folder: bytes of tensor INDEX from FROM on, each once, by several threads at once;
 * all tensors then, and none with tensors_write_data. */
MUST_USE int tensors_write_at(struct tensors_writer *w, int index, size_t from, const void *bytes,
                              size_t n);
MUST_USE int tensors_write_end(struct tensors_writer *w);    /* every byte was given; releases W in any case */
void tensors_writer_free(struct tensors_writer *w);          /* after a failure; NULL is fine */

#endif
