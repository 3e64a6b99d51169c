/*
 * sample.h - which rows go into train, eval and test, and in which order: numbers only, no texts.
 *
 * A population is what labels say about rows: one class index a row. All draws come from mt19937
 * under a seed, so the same labels, sizes and seed give the same rows everywhere.
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "err.h"

#include <stdbool.h>
#include <stdint.h>

enum part { TRAIN, EVAL, TEST, PARTS }; /* in the order of the output */
extern const char *const part_name[PARTS];

struct size { /* of a part: rows, or a share of all rows */
    enum { SIZE_ABSENT, SIZE_COUNT, SIZE_SHARE } kind;
    int64_t count;
    double share;
};

struct sample_plan {
    struct size size[PARTS];
    bool per_class;    /* sizes hold for each class alone */
    bool eval_replace; /* eval is drawn with replacement */
    int64_t most;      /* sample_own: shares and rests are of so many rows at most; 0: of all */
    uint32_t seed;
};

struct population {
    int64_t n; /* rows */
    int n_classes;
    const char *const *name; /* (n_classes) in the label set's order */
    const int *class_of;     /* (n) */
    const int64_t *first;    /* (n) the first row with the same text */
    int64_t *count;          /* (n_classes) rows of the class */
    int64_t **row;           /* (n_classes)(count) rows of the class, ascending */
};

struct sample {
    int64_t *row[PARTS];
    int64_t n[PARTS];
};

/* CLASS_OF, FIRST and NAME must outlive P. */
void population_init(struct population *p, const int *class_of, const int64_t *first, int64_t n,
                     const char *const *name, int n_classes);
void population_free(struct population *p);
void sample_free(struct sample *s);

/* "300" is a count, "0.8" a share from 0 to 1; -1 (EXIT_USAGE) for anything else. */
MUST_USE int size_parse(struct size *s, const char *option, const char *text);

/*
 * The default. Every class is shuffled; its first rows are train, the next test, and eval comes
 * from what is left, so that no row is in two parts. Rows with the same text are brought together
 * in the largest part that has one, by exchange within their class with rows that have a text of
 * their own. Where these run out the class is dealt anew, text by text, those of most rows first,
 * so that only a text of several classes, and one that no part has room for, can be in two parts.
 * Without per_class a part's rows are divided among the classes in proportion, the remainder to the
 * largest fractions. Each part is shuffled in the end. An absent eval is empty; an absent test is
 * what the others leave, or a quarter when train is absent too; an absent train is what the others
 * leave. Shares that add up to 1 use every row.
 */
MUST_USE int sample_own(struct sample *s, const struct population *p,
                        const struct sample_plan *plan);

/*
 * Train and test as scikit-learn's train_test_split(rows, train_size=, test_size=, random_state=
 * seed) gives them (1.2.1): stratified, or with per_class each class alone and joined in the order
 * of the classes. Eval as in sample_own, from the rows that are left.
 */
MUST_USE int sample_sklearn(struct sample *s, const struct population *p,
                            const struct sample_plan *plan);

/*
 * The article's: 300 and 300 of each class as sample_sklearn with per_class, train shuffled as by
 * pandas' sample(frac=1, random_state=10), eval 50 of each class, by name, drawn with replacement
 * from all rows but those that train and test took of the last class.
 */
MUST_USE int sample_seed(struct sample *s, const struct population *p, uint32_t seed);

/* How many of the draws of PART are rows that OTHER has too, of N_ROWS rows in all. */
int64_t sample_overlap(const struct sample *s, enum part part, enum part other, int64_t n_rows);

/* For the files of this module: the rows of each class in the order in which they are dealt out. */
struct mt19937;
struct deck {
    const struct population *p;
    int64_t **row; /* (n_classes)(n[c]) */
    int64_t *n;    /* (n_classes) rows in the deck */
    int64_t *used; /* (n_classes) of them, dealt so far */
};
void deck_init(struct deck *d, const struct population *p); /* ascending */
void deck_shuffle(struct deck *d, int c, struct mt19937 *g);
void deck_free(struct deck *d);
/* The next N rows of class C go to PART; -1 names the class that has too few. */
MUST_USE int deck_deal(struct deck *d, struct sample *s, enum part part, int c, int64_t n);
/* That error: LEFT rows for WANTED ones. Returns -1, always. */
int deck_too_few(const struct deck *d, enum part part, int c, int64_t left, int64_t wanted);
/* N draws of class C, with replacement from what is left, go to PART. */
MUST_USE int deck_draw(struct deck *d, struct sample *s, enum part part, int c, int64_t n,
                       struct mt19937 *g);
/* WANT (n_classes) rows go to eval, drawn (REPLACE) or dealt, and eval is shuffled. */
MUST_USE int deck_deal_eval(struct deck *d, struct sample *s, const int64_t *want, bool replace,
                            struct mt19937 *g);

/* Rows of each part out of N by PLAN's sizes; -1 when shares add up to more than 1. */
MUST_USE int plan_rows(int64_t rows[PARTS], const struct sample_plan *plan, int64_t n);
/* How many rows of the table these ROWS use up: a draw with replacement uses none. */
int64_t rows_taken(const int64_t rows[PARTS], const struct sample_plan *plan);
/* The classes in ascending order of their names' bytes, which for UTF-8 is that of code points. */
void classes_by_name(int *turn, const struct population *p);
/* SHARE (n_classes) = TOTAL rows in proportion to COUNT, which add up to TOTAL or more. */
void proportion(int64_t *share, const int64_t *count, int n_classes, int64_t total);
/* The same for eval, of what train and test LEFT of each class; -1 (EXIT_DATA) where TOTAL rows are
 * wanted and none is left. */
MUST_USE int eval_proportion(int64_t *share, const int64_t *left, int n_classes, int64_t total);

#endif
