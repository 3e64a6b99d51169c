/*
 * inject.c - makes calls of the C library fail, one by one, in a program that is run with it:
 *
 *   LD_PRELOAD=inject.so FAULT=write:28:3 tokenize ...     # the third write says ENOSPC
 *   LD_PRELOAD=inject.so FAULT=read,write:short:1+ ...     # every read and write does half
 *   LD_PRELOAD=inject.so FAULT=rename:kill9:2 ...          # SIGKILL before the second rename
 *
 * FAULT is CLASSES:HOW:WHICH. CLASSES are names of the table below with commas between them, or
 * "all". HOW is an errno; "short"; or "kill" with a signal's number. WHICH is the number of the
 * call, from 1; a + behind it means all from there on; 0 none. FAULT_COUNT=FILE gets a line "CLASS
 * CALLS" for every class when the program ends.
 *
 * Calls are counted from main on, those of libraries too, in all threads together. What the C
 * library calls inside itself (the open in fopen) is not seen, which is why fopen is a call of its
 * own here. A close counts where the file is an output.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- which call, and how ---- */

enum class {
    MEMORY = 1 << 0, /* malloc and its kin */
    WRITE = 1 << 1,
    READ = 1 << 2,
    OPEN = 1 << 3, /* folders and streams of stdio too */
    CLOSE = 1 << 4,
    RENAME = 1 << 5,
    MAP = 1 << 6,
    STAT = 1 << 7,
    THREAD = 1 << 8,
    MKDIR = 1 << 9,
    SEEK = 1 << 10,
    SYNC = 1 << 11,
    ROOM = 1 << 12, /* fallocate, ftruncate */
    UNLINK = 1 << 13,
};
enum { CLASSES = 14 };

static const struct {
    const char *name;
    enum class class;
} classes[] = {
    { "memory", MEMORY }, { "write", WRITE },   { "read", READ },
    { "open", OPEN },     { "close", CLOSE },   { "rename", RENAME },
    { "map", MAP },       { "stat", STAT },     { "thread", THREAD },
    { "mkdir", MKDIR },   { "seek", SEEK },     { "sync", SYNC },
    { "room", ROOM },     { "unlink", UNLINK }, { "all", (1 << CLASSES) - 1 },
};

static struct {
    int classes;
    int error;  /* errno; 0: SHORT or SIGNAL */
    bool cut;   /* short reads and writes */
    int signal; /* 0: none */
    long from, to;
} fault;
static atomic_long calls, calls_of[CLASSES];
static atomic_bool in_main;
static const char *count_file;

/* The call that failed is the one where it stops under a debugger. */
__attribute__((noinline)) static void fault_here(void)
{
    __asm__ volatile("");
}

/* Whether this call of CLASS is one that fails. errno is set. */
static bool hit(enum class class)
{
    if (!atomic_load(&in_main))
        return false;
    atomic_fetch_add(&calls_of[__builtin_ctz(class)], 1);
    if (!(fault.classes & (int)class))
        return false;
    const long n = atomic_fetch_add(&calls, 1) + 1;

    if (n < fault.from || n > fault.to)
        return false;
    fault_here();
    if (fault.signal)
        (void)syscall(SYS_kill, getpid(), fault.signal);
    errno = fault.error;
    return !fault.signal;
}

static void take_classes(const char *names, size_t n)
{
    for (const char *end = names + n; names < end;) {
        const char *comma = memchr(names, ',', (size_t)(end - names));
        const size_t len = (size_t)((comma ? comma : end) - names);

        for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
            if (strlen(classes[i].name) == len && !memcmp(classes[i].name, names, len))
                fault.classes |= (int)classes[i].class;
        names += len + 1;
    }
}

static void take_fault(const char *s)
{
    const char *how = strchr(s, ':'), *which = how ? strchr(how + 1, ':') : NULL;
    char *end;

    if (!which) {
        (void)fprintf(stderr, "inject: FAULT=%s is not CLASSES:HOW:WHICH\n", s);
        exit(2);
    }
    take_classes(s, (size_t)(how++ - s));
    if (!strncmp(how, "kill", 4))
        fault.signal = atoi(how + 4);
    else if (!strncmp(how, "short", 5))
        fault.cut = true;
    else
        fault.error = atoi(how);
    fault.from = strtol(which + 1, &end, 10);
    fault.to = *end == '+' ? LONG_MAX : fault.from;
    if (!fault.from)
        fault.to = 0;
}

static void report(void)
{
    if (!atomic_exchange(&in_main, false) || !count_file)
        return;
    const long fd = syscall(SYS_openat, AT_FDCWD, count_file, O_WRONLY | O_CREAT | O_TRUNC, 0644);

    for (int i = 0; i < CLASSES; i++) {
        char text[64];
        const int n =
            snprintf(text, sizeof text, "%s %ld\n", classes[i].name, atomic_load(&calls_of[i]));

        (void)syscall(SYS_write, fd, text, n);
    }
    (void)syscall(SYS_close, fd);
}

/* ---- the program: from main to its end ---- */

typedef int main_fn(int, char **, char **);
static main_fn *real_main;

static int counted_main(int argc, char **argv, char **env)
{
    atomic_store(&in_main, true);
    return real_main(argc, argv, env);
}

/* The function of the C library that NAME here stands before. */
static void *real(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);

    if (!f)
        _exit(127);
    return f;
}

/* A function pointer out of dlsym, once: ISO C has no cast for it. */
#define REAL(type, name, ...)                                                                      \
    static type (*real_##name)(__VA_ARGS__);                                                       \
    if (!real_##name)                                                                              \
    *(void **)(void *)&real_##name = real(#name)

int __libc_start_main(main_fn *m, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld)(void), void *stack);
int __libc_start_main(main_fn *m, int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld)(void), void *stack)
{
    REAL(int, __libc_start_main, main_fn *, int, char **, void (*)(void), void (*)(void),
         void (*)(void), void *);

    count_file = getenv("FAULT_COUNT");
    if (getenv("FAULT"))
        take_fault(getenv("FAULT"));
    real_main = m;
    return real___libc_start_main(counted_main, argc, argv, init, fini, rtld, stack);
}

void _exit(int code)
{
    report();
    for (;;)
        (void)syscall(SYS_exit_group, code);
}

__attribute__((destructor)) static void at_end(void)
{
    report();
}

/* ---- memory: dlsym may allocate, so these go to glibc's own names ---- */

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t n)
{
    return hit(MEMORY) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return hit(MEMORY) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return hit(MEMORY) ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t align, size_t n)
{
    return hit(MEMORY) ? NULL : __libc_memalign(align, n);
}

void *memalign(size_t align, size_t n)
{
    return hit(MEMORY) ? NULL : __libc_memalign(align, n);
}

int posix_memalign(void **p, size_t align, size_t n)
{
    *p = hit(MEMORY) ? NULL : __libc_memalign(align, n);
    return *p ? 0 : ENOMEM;
}

/* ---- bytes: standard error is left alone, or nobody would learn of anything ---- */

static size_t half(size_t n)
{
    return fault.cut && n > 1 ? n / 2 : n;
}

ssize_t write(int fd, const void *p, size_t n)
{
    REAL(ssize_t, write, int, const void *, size_t);
    const bool failing = fd != STDERR_FILENO && hit(WRITE);

    return failing && !fault.cut ? -1 : real_write(fd, p, failing ? half(n) : n);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    REAL(ssize_t, pwrite, int, const void *, size_t, off_t);
    const bool failing = hit(WRITE);

    return failing && !fault.cut ? -1 : real_pwrite(fd, p, failing ? half(n) : n, at);
}

ssize_t read(int fd, void *p, size_t n)
{
    REAL(ssize_t, read, int, void *, size_t);
    const bool failing = hit(READ);

    return failing && !fault.cut ? -1 : real_read(fd, p, failing ? half(n) : n);
}

ssize_t pread(int fd, void *p, size_t n, off_t at)
{
    REAL(ssize_t, pread, int, void *, size_t, off_t);
    const bool failing = hit(READ);

    return failing && !fault.cut ? -1 : real_pread(fd, p, failing ? half(n) : n, at);
}

/* stdio goes on by itself after half a call and, as it is used here, after a signal. */
static bool fails_whole(void)
{
    return !fault.cut && fault.error != EINTR;
}

size_t fwrite(const void *p, size_t size, size_t n, FILE *f)
{
    REAL(size_t, fwrite, const void *, size_t, size_t, FILE *);
    return f != stderr && fails_whole() && hit(WRITE) ? 0 : real_fwrite(p, size, n, f);
}

size_t fread(void *p, size_t size, size_t n, FILE *f)
{
    REAL(size_t, fread, void *, size_t, size_t, FILE *);
    return fails_whole() && hit(READ) ? 0 : real_fread(p, size, n, f);
}

int fflush(FILE *f)
{
    REAL(int, fflush, FILE *);
    return f && f != stderr && fails_whole() && hit(WRITE) ? EOF : real_fflush(f);
}

/* ---- opening ---- */

static int open_at(int folder, const char *path, int flags, mode_t mode)
{
    return (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define MODE_OF(flags, mode)                                                                       \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        (mode) = va_arg(ap, mode_t);                                                               \
        va_end(ap);                                                                                \
    }

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode)
    return hit(OPEN) ? -1 : open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;

    MODE_OF(flags, mode)
    return hit(OPEN) ? -1 : open_at(folder, path, flags, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    REAL(FILE *, fopen, const char *, const char *);
    return hit(OPEN) ? NULL : real_fopen(path, mode);
}

FILE *tmpfile(void)
{
    REAL(FILE *, tmpfile, void);
    return hit(OPEN) ? NULL : real_tmpfile();
}

int mkstemp(char *path)
{
    REAL(int, mkstemp, char *);
    return hit(OPEN) ? -1 : real_mkstemp(path);
}

DIR *opendir(const char *path)
{
    REAL(DIR *, opendir, const char *);
    return hit(OPEN) ? NULL : real_opendir(path);
}

/* Whether somebody could miss what was written to FD: it is no standard stream, no input, not empty
 * and no file without a name. */
static bool is_output(int fd)
{
    const long flags = syscall(SYS_fcntl, fd, F_GETFL);
    struct stat st;

    return fd > STDERR_FILENO && flags >= 0 && (flags & O_ACCMODE) != O_RDONLY &&
           syscall(SYS_fstat, fd, &st) == 0 && st.st_nlink > 0 && st.st_size > 0;
}

/* As Linux does it, the file is closed whatever close says. */
int close(int fd)
{
    const bool failing = is_output(fd) && hit(CLOSE);
    const int rc = (int)syscall(SYS_close, fd);

    if (failing)
        errno = fault.error;
    return failing ? -1 : rc;
}

/* ---- all that is -1 or what the library says ---- */

#define SIMPLE(class, type, name, parameters, arguments)                                           \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*real_##name) parameters;                                                      \
        if (!real_##name)                                                                          \
            *(void **)(void *)&real_##name = real(#name);                                          \
        return hit(class) ? -1 : real_##name arguments;                                            \
    }

SIMPLE(RENAME, int, rename, (const char *a, const char *b), (a, b))
SIMPLE(RENAME, int, renameat2, (int d, const char *a, int e, const char *b, unsigned flags),
       (d, a, e, b, flags))
SIMPLE(STAT, int, stat, (const char *path, struct stat *st), (path, st))
SIMPLE(STAT, int, lstat, (const char *path, struct stat *st), (path, st))
SIMPLE(STAT, int, fstat, (int fd, struct stat *st), (fd, st))
SIMPLE(STAT, int, fstatat, (int d, const char *path, struct stat *st, int flags),
       (d, path, st, flags))
SIMPLE(STAT, int, faccessat, (int d, const char *path, int mode, int flags), (d, path, mode, flags))
SIMPLE(STAT, int, access, (const char *path, int mode), (path, mode))
SIMPLE(MKDIR, int, mkdir, (const char *path, mode_t mode), (path, mode))
SIMPLE(SEEK, off_t, lseek, (int fd, off_t at, int whence), (fd, at, whence))
SIMPLE(SYNC, int, fsync, (int fd), (fd))
SIMPLE(SYNC, int, fdatasync, (int fd), (fd))
SIMPLE(ROOM, int, ftruncate, (int fd, off_t n), (fd, n))
SIMPLE(ROOM, int, fallocate, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n))
SIMPLE(UNLINK, int, unlink, (const char *path), (path))
SIMPLE(UNLINK, int, unlinkat, (int d, const char *path, int flags), (d, path, flags))
SIMPLE(UNLINK, int, rmdir, (const char *path), (path))

char *realpath(const char *path, char *out)
{
    REAL(char *, realpath, const char *, char *);
    return hit(STAT) ? NULL : real_realpath(path, out);
}

/* These two return the error itself. */
int posix_fallocate(int fd, off_t at, off_t n)
{
    REAL(int, posix_fallocate, int, off_t, off_t);
    return hit(ROOM) ? fault.error : real_posix_fallocate(fd, at, n);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *arg)
{
    REAL(int, pthread_create, pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    return hit(THREAD) ? fault.error : real_pthread_create(thread, attributes, run, arg);
}

void *mmap(void *at, size_t n, int protection, int flags, int fd, off_t offset)
{
    REAL(void *, mmap, void *, size_t, int, int, int, off_t);
    return hit(MAP) ? MAP_FAILED : real_mmap(at, n, protection, flags, fd, offset);
}

/* The names that programs with large files on 32 bits would call: the same on 64. */
#define ALSO(type, name, as, parameters) type as parameters __attribute__((alias(#name)));
ALSO(int, open, open64, (const char *, int, ...))
ALSO(int, openat, openat64, (int, const char *, int, ...))
ALSO(FILE *, fopen, fopen64, (const char *, const char *))
ALSO(ssize_t, pread, pread64, (int, void *, size_t, off_t))
ALSO(ssize_t, pwrite, pwrite64, (int, const void *, size_t, off_t))
ALSO(int, stat, stat64, (const char *, struct stat64 *))
ALSO(int, lstat, lstat64, (const char *, struct stat64 *))
ALSO(int, fstat, fstat64, (int, struct stat64 *))
ALSO(off_t, lseek, lseek64, (int, off_t, int))
ALSO(int, ftruncate, ftruncate64, (int, off_t))
ALSO(void *, mmap, mmap64, (void *, size_t, int, int, int, off_t))
