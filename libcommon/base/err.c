#include "err.h"

#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_MAX_BYTES = 2048 };

static _Thread_local char line[LINE_MAX_BYTES];
static _Thread_local int code_of_line = EXIT_NUMERIC;
static char tool[64] = "slmtools";
static int talk = 1;
static bool open_line; /* standard error is in the middle of one */

/* One error is one line that does nothing to a terminal, whatever a file name or a field holds. A
 * byte that is no UTF-8 stays (names of files are bytes), but not one that a terminal obeys. */
static void flatten(char *s)
{
    char *to = s;
    size_t n = strlen(s);

    while (n > 0) {
        size_t good = utf8_valid(s, n);
        int len = 1;

        for (n -= good; good > 0; good -= (size_t)len, s += len) {
            if (utf8_is_control(utf8_decode(s, &len)))
                *to++ = '?';
            else
                for (int i = 0; i < len; i++)
                    *to++ = s[i];
        }
        if (n > 0) {
            *to++ = (unsigned char)*s < 0xa0 ? '?' : *s;
            s++;
            n--;
        }
    }
    *to = 0;
}

static void PRINTF_LIKE(2, 0) format(char to[LINE_MAX_BYTES], const char *fmt, va_list ap)
{
    (void)vsnprintf(to, LINE_MAX_BYTES, fmt, ap);
    flatten(to);
}

int err_set(int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    format(line, fmt, ap);
    va_end(ap);
    code_of_line = code;
    return -1;
}

int err_in(const char *fmt, ...)
{
    char front[LINE_MAX_BYTES], back[LINE_MAX_BYTES];
    va_list ap;

    va_start(ap, fmt);
    format(front, fmt, ap);
    va_end(ap);
    const size_t n = strlen(front);

    if (!strncmp(line, front, n) && line[n] == ':') /* who failed has said it */
        return -1;
    memcpy(back, line, sizeof back);
    (void)snprintf(line, sizeof line, "%.900s: %.1100s", front, back);
    return -1;
}

int err_cause(int code)
{
    return errno == ENOMEM ? EXIT_MEMORY : code;
}

const char *err_text(void)
{
    return line;
}

int err_code(void)
{
    return code_of_line;
}

void err_set_tool(const char *name)
{
    const char *base = strrchr(name, '/');

    (void)snprintf(tool, sizeof tool, "%s", base ? base + 1 : name);
}

const char *err_tool(void)
{
    return tool;
}

/* What to do, for a line that does not say so itself. */
static const char *advice(int code)
{
    if (strstr(line, "; "))
        return "";
    switch (code) {
    case EXIT_USAGE:
        return "; see --help";
    case EXIT_DATA:
        return "; correct it, or make or fetch it again";
    case EXIT_NOINPUT:
        return "; check the name and the permissions";
    case EXIT_NODEVICE:
        return "; use one without it";
    case EXIT_NUMERIC:
        return "; if the input is sound, report this";
    case EXIT_MEMORY:
        return "; end other programs, or use smaller batches";
    case EXIT_CREATE:
        return "; choose another place or name";
    case EXIT_IO:
        return "; check the disk's room and the other end of the pipe";
    default:
        return "";
    }
}

void err_set_open_line(bool open)
{
    open_line = open;
}

static const char *new_line(void)
{
    const bool open = open_line;

    open_line = false;
    return open ? "\n" : "";
}

void die_err(void)
{
    err_last(code_of_line);
    (void)fflush(stdout);
    (void)fprintf(stderr, "%s%s: error: %s%s\n", new_line(), tool, line, advice(code_of_line));
    exit(code_of_line);
}

void die(int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    format(line, fmt, ap);
    va_end(ap);
    code_of_line = code;
    die_err();
}

static void PRINTF_LIKE(2, 0) say(const char *what, const char *fmt, va_list ap)
{
    char text[LINE_MAX_BYTES];

    format(text, fmt, ap);
    (void)fprintf(stderr, "%s%s: %s%s\n", new_line(), tool, what, text);
}

void warn(const char *fmt, ...)
{
    va_list ap;

    if (talk < 1)
        return;
    va_start(ap, fmt);
    say("warning: ", fmt, ap);
    va_end(ap);
}

void note(const char *fmt, ...)
{
    va_list ap;

    if (talk < 2)
        return;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

void err_set_talk(int level)
{
    talk = level;
}
