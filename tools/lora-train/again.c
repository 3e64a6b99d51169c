#include "again.h"

#include "mem.h"

#include <stdbool.h>
#include <string.h>

/* As it is where a shell takes it so, else in single quotes. */
static void put_word(struct buf *b, const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_./=,:+@%";

    if (b->n)
        buf_putc(b, ' ');
    if (*word && strspn(word, plain) == strlen(word)) {
        buf_puts(b, word);
        return;
    }
    buf_putc(b, '\'');
    for (; *word; word++)
        if (*word == '\'')
            buf_puts(b, "'\\''");
        else
            buf_putc(b, *word);
    buf_putc(b, '\'');
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
