/* selection.h - which tensors of a model are quantised, and what the config says about it. */
#ifndef SELECTION_H
#define SELECTION_H

#include "mem.h"
#include "quant_source.h"

struct selection {
    bool *quantised;    /* (tensors) in their order */
    struct buf skipped; /* "a,b": what llm_int8_skip_modules lists beside the head */
    bool given;         /* false: it lists nothing, and transformers skips the head alone */
};

/*
 * MODULES and SKIP are lists with commas, NULL: not given. A name in them is one or more whole parts
 * of a module's path. Of an architecture that is known here the linears of its layers are
 * quantised, less SKIP; with MODULES only those that it names. Of another one only what MODULES
 * names: what is an embedding or a head there, nobody here knows. EXIT_USAGE: a name that fits
 * nothing, MODULES missing; *S needs no freeing then.
 */
MUST_USE int selection_make(struct selection *s, const struct quant_source *src,
                            const char *modules, const char *skip);
void selection_free(struct selection *s);

#endif
