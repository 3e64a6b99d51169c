/*
 * plugin.h - backends that lie in a shared object beside the tools, so that no tool links what
 * their devices need, and starts as fast without them.
 *
 * A plug-in exports one thing, a struct plugin under the name PLUGIN_SYMBOL. It sees nothing of the
 * tool that opened it but what it is given here.
 */
#ifndef PLUGIN_H
#define PLUGIN_H

#include "kernels.h"

/* Counted up whenever an op or what it is given changes its meaning. */
enum { PLUGIN_VERSION = 7 };
#define PLUGIN_SYMBOL "slmtools_plugin"

/* err_set of err.h. */
typedef int plugin_fail(int code, const char *format, ...);

struct plugin {
    int version;        /* PLUGIN_VERSION */
    size_t table_bytes; /* sizeof(struct ops) */
    /* How many devices there are, or -1 with FAIL called (EXIT_NODEVICE): no driver, no device. */
    int (*count)(plugin_fail *fail);
    /* TEXT = one line on device NUMBER; -1 with FAIL called where it cannot be used. */
    int (*describe)(char *text, size_t size, int number, plugin_fail *fail);
    /* Fills O with ops that compute on device NUMBER and fail by FAIL; ACT as ops_find has it. */
    int (*open)(struct ops *o, int number, enum dtype act, plugin_fail *fail);
};

/* The ops of device NUMBER of plug-in NAME ("cuda"), open's COMPUTE; -1 and EXIT_NODEVICE with what
 * to do. */
MUST_USE int plugin_ops(struct ops *o, const char *name, int number, enum dtype act);

/* The plug-in itself, opened once and for good; NULL and EXIT_NODEVICE when it is not there, cannot
 * be opened, or is of another version. */
const struct plugin *plugin_find(const char *name);

/* Whether there is a file of that name; opens nothing. */
bool plugin_is_there(const char *name);

#endif
