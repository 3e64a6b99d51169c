/*
 * cli.h - one option table per tool: it parses, it is the help text, and it fills the chain.
 *
 * A table holds pointers to the tool's variables, which carry the defaults before cli_parse. Long
 * option names are a contract and must be given whole; "_" is taken for "-" in them, so that the
 * names of Hugging Face's scripts work. One that is not known is refused with the nearest there is.
 * "--name value" and "--name=value" mean the same; "--" ends the options; "@FILE" reads further
 * arguments from FILE, split at white space, with '...' and "..." quoting and # comments. Of an
 * option that is given twice the last one holds; options and operands may be mixed.
 */
#ifndef CLI_H
#define CLI_H

#include "err.h"
#include "mem.h"

#include <stdbool.h>
#include <stdint.h>

enum cli_type {
    CLI_END,        /* last row */
    CLI_FLAG,       /* bool: --name sets it; with .negatable also --no-name */
    CLI_INT,        /* int64_t, within min..max */
    CLI_FLOAT,      /* double, finite, within min..max */
    CLI_TEXT,       /* const char *: free text, recorded in the chain as it is */
    CLI_NAME,       /* const char *: the name of a shared file, a path (the chain gets its last part) or a,b,c */
    CLI_FILE,       /* const char *: a path; never in the chain (inputs are there by digest) */
    CLI_CHOICE,     /* const char *: one of .arg, "cpu|cuda" */
    CLI_LIST,       /* struct cli_list: may be given many times; recorded in order */
    CLI_FILES,      /* struct cli_list of paths, not recorded */
};

struct cli_list {
    const char **v;
    int n;
};

struct cli_opt {
    char letter;            /* 0 when there is only the long form */
    const char *name;       /* long form without dashes */
    enum cli_type type;
    void *value;
    const char *arg;        /* "FILE", "N"; for CLI_CHOICE the choices, "cpu|cuda" */
    const char *help;       /* one line; the default is printed after it */
    double min, max;        /* CLI_INT and CLI_FLOAT; both 0: any; a default outside is "not set" */
    bool required;
    bool negatable;
    bool silent;            /* does not change the result: left out of the chain */
    const char *group;      /* heading printed before this row in --help, NULL: same group */
    bool *given;            /* set when the user gave it; NULL: not wanted */
    const char *offered;    /* what --help prints for .arg where this build cannot do all of that; "":
                             * the row is not printed, all but its default is refused */
};

/* Options that every tool has (INTERFACE, "Common to all"). */
struct cli_common {
    const char *output;     /* "-" */
    int64_t threads;        /* 0: as many as the machine has */
    int64_t seed;           /* 42 */
    const char *device;     /* "auto" */
    struct cli_list only;   /* FIELD=VALUE */
    int64_t limit;          /* -1: all records */
    const char *limit_per;  /* FIELD=N; NULL: no such limit */
    int64_t level;          /* zstd level, 3 */
    bool quiet, verbose, force;
    const char *progress;   /* auto|never|json */
};

#define CLI_COMMON_INIT { .output = "-", .seed = 42, .device = "auto", .limit = -1, .level = 3, .progress = "auto" }

/* cli_parse appends the common rows to the tool's own by itself, so a tool cannot forget one. */
struct cli {
    const char *name;               /* of the tool */
    const char *synopsis;           /* "[options] -m MODEL [FILE]" */
    const char *about;              /* one or two lines under the synopsis */
    const struct cli_opt *opts;     /* ends with CLI_END */
    struct cli_common *common;
    int max_operands;               /* -1: any number */
};

/*
 * Parses ARGV and returns the operands, NULL-terminated, owned by the library until exit. Prints
 * and exits on --help and --version (0) and on any mistake (EXIT_USAGE, one line that names the
 * option). A number must use the whole argument: "3x" is a mistake, so is an empty one.
 * Applies -q, -v (err_set_talk) and the tool's name. No locale is ever set.
 */
const char *const *cli_parse(int argc, char **argv, const struct cli *cli);

/* After cli_parse: the options that were given and change the result, in table order, as N strings
 * "name=value" (flags: "name", "no-name"), for the chain. Numbers are written as short as they read
 * back, so that "2e-4" and "0.0002" are the same option. Made by cli_parse, so that the table and the
 * variables may be gone by now. Owned by the library. */
const char *const *cli_chain_options(int *n);
/* Appends OPTION (copied), "name=value", to those: one that was not given, and has its value from an
 * option that is not recorded. Before the chain is written. */
void cli_chain_add(const char *option);
/* Appends "--name":"value", for every option that changes the result and is no path, given or not, as
 * its variable is now; for a comparison of two runs. While the table and the variables are there. */
void cli_put_settings(struct buf *b);
/* The tool's name for the chain: the table's, not what the installed program is called. */
const char *cli_tool(void);

/* The version that --version prints and the chain carries. */
extern const char slmtools_version[];

#endif
