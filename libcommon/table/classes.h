/*
 * classes.h - files of an archive as classes: each line of a file is a text, and the part of the file's name that
 * the other names lack is the label of all its lines: neg and pos of rt-polarity.neg and rt-polarity.pos.
 */
#ifndef CLASSES_H
#define CLASSES_H

#include "mem.h"

#include <stdbool.h>

/* Zero it to start. */
struct classes {
    char **file, **label; /* (n); labels only after classes_label */
    int n;
};

void classes_add(struct classes *c, const char *file); /* copies FILE */
/* Fills in the labels. Each is the file's name without what all names have in common at both ends; what they have in
 * common at the beginning counts up to its last ". _-/", at the end from its first. */
void classes_label(struct classes *c);
/* Whether NAME could be the file of a class: no note (README, LICENSE, ...), and nothing whose ending is that of markup
 * or of a program (.md, .html, .py, ...). */
bool classes_may_have(const char *name);
/* After classes_label: whether the names alone say that these are classes. They are two or more in one folder,
 * begin or end alike, and none is called as a part of the data is (train, test). */
bool classes_are_likely(const struct classes *c);
/* Appends "'rt-polarity.neg' is neg, 'rt-polarity.pos' is pos"; the first ones of many. */
void classes_describe(const struct classes *c, struct buf *text);
int classes_find(const struct classes *c, const char *file); /* its index, -1: none of them */
void classes_free(struct classes *c);

#endif
