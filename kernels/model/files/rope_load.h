/* rope_load.h - the keys of config.json that say how positions turn queries and keys. */
#ifndef ROPE_LOAD_H
#define ROPE_LOAD_H

#include "config.h"
#include "json.h"

/* Fills in C->rope; C has its sizes and its family by now. EXIT_DATA names the key; EXIT_NODEVICE names a
 * kind of scaling that is not there. */
MUST_USE int rope_load(struct config *c, const cJSON *json);

#endif
