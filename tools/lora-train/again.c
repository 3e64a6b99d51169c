#include "again.h"

#include "mem.h"
#include "shell.h"

#include <stdbool.h>
#include <string.h>

static void put_word(struct buf *b, const char *word)
{
    if (b->n)
        buf_putc(b, ' ');
    shell_put_word(b, word);
}

/* In front of "--", behind which there are no options any more. */
char *again_command(char *const *argv)
{
    struct buf b = BUF_INIT;
    bool said = false;

    for (; *argv; argv++) {
        if (!said && !strcmp(*argv, "--")) {
            put_word(&b, "--resume");
            said = true;
        }
        said = said || !strcmp(*argv, "--resume");
        put_word(&b, *argv);
    }
    if (!said)
        put_word(&b, "--resume");
    return b.p;
}
