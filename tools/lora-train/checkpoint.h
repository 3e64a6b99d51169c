/*
 * checkpoint.h - the file that a run goes on from (--checkpoint).
 *
 * A safetensors file, so that peek and others can look into it: "weights", "first_moment",
 * "second_moment" and, where they are kept, "best_weights", float32 of as many elements as all LoRA
 * tensors together take, in the order of struct lora_set; "sha256", 32 bytes, the digest of all bytes of the file before them. In
 * __metadata__: "format" (this format's name and version), "identity" (run_identity.h) and "state" (what
 * else the run had, a JSON object of the trainer's). Written beside the old one and renamed.
 */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "json.h"
#include "lora/lora.h"

/* The end of what is said of a checkpoint that is none of this build's. */
#define CHECKPOINT_ADVICE                                                                          \
    "; go on with the build that wrote it, or begin anew with --force and without --resume"

struct checkpoint {
    const char *path;
    const char *identity; /* of this run */
    bool keeps_best;      /* there will be best weights */
    bool replaces;        /* what is at PATH is this run's, or may go; so it is behind the first write */
    struct outfile *next; /* the one to be written next: its room is set aside */
};

/* Whether there is room beside the one that is there; it is set aside where the file system can. */
MUST_USE int checkpoint_reserve(struct checkpoint *c, const struct lora_set *l);

/* Puts what L, BEST (params; NULL: none yet) and STATE are now at PATH; on the disk when it returns.
 * Room is set aside for the next one, if there is any. EXIT_CREATE: another run has put its own there
 * meanwhile. */
MUST_USE int checkpoint_write(struct checkpoint *c, const struct lora_set *l, const float *best,
                              const struct buf *state);

/* 1: L is what it was then, *BEST and *STATE, the caller's to free and delete, what was given; 0:
 * there is no such file. EXIT_DATA: it is damaged, or of another run (the line says what differs);
 * L is as it was. */
MUST_USE int checkpoint_read(const struct checkpoint *c, struct lora_set *l, float **best,
                             cJSON **state);

/* Gives back the room that is set aside. */
void checkpoint_close(struct checkpoint *c);

#endif
