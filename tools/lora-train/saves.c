#include "saves.h"

#include "mem.h"
#include "outfile.h"
#include "pack.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The output's name with ".step-N" in front of what says its form. */
static char *name_of(const char *output, int64_t step)
{
    static const char *const forms[] = { "/", ".tar.zst", ".tar" };
    struct buf b = BUF_INIT;
    size_t n = strlen(output);

    while (n > 1 && output[n - 1] == '/' && output[n - 2] == '/')
        n--;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        const size_t end = strlen(forms[i]);

        if (n > end && !strncmp(output + n - end, forms[i], end)) {
            buf_printf(&b, "%.*s.step-%" PRId64 "%s", (int)(n - end), output, step, forms[i]);
            return b.p;
        }
    }
    buf_printf(&b, "%s.step-%" PRId64, output, step);
    return b.p;
}

static bool wanted(const struct train_options *o)
{
    return o->save_steps > 0 && (!o->checkpoint || o->save_total_limit_given);
}

int saves_check(const struct train_options *o, int64_t steps)
{
    int rc = 0;

    for (int64_t at = o->save_steps; wanted(o) && at <= steps && !rc; at += o->save_steps) {
        char *const name = name_of(o->common.output, at);

        if (!o->common.force && access(name, F_OK) == 0)
            rc = err_set(EXIT_CREATE, "%s: is there already; use --force to replace it", name);
        free(name);
    }
    return rc;
}

static int save(const struct train_options *o, const struct lora_set *lora,
                const struct weights *on, const struct lora_origin *from, const char *name,
                bool replace)
{
    struct pack_writer *out;

    if (pack_create(&out, name, replace || o->common.force, (int)o->common.level, lora_files) < 0)
        return -1;
    if (lora_save(lora, on, out, from) == 0)
        return pack_commit(out);
    pack_abort(out);
    return -1;
}

int saves_step(const struct train_options *o, const struct lora_set *lora, const struct weights *on,
               const struct lora_origin *from, int64_t step, bool replace)
{
    if (!wanted(o) || step % o->save_steps)
        return 0;
    char *const name = name_of(o->common.output, step);
    const int rc = save(o, lora, on, from, name, replace);
    const int64_t oldest = step - o->save_total_limit * o->save_steps;

    free(name);
    if (rc == 0 && o->save_total_limit && oldest > 0) {
        char *const gone = name_of(o->common.output, oldest);

        outfile_remove(gone);
        free(gone);
    }
    return rc;
}
