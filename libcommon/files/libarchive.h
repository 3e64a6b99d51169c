/*
 * libarchive.h - libarchive, opened when the first archive is met.
 *
 * It draws in libxml2, ICU, lzma and others: two thirds of the start of a tool, for programs that
 * mostly read and write streams, folders and bare tables. Its functions are called through `la`.
 */
#ifndef LIBARCHIVE_H
#define LIBARCHIVE_H

#include "err.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>

#define LIBARCHIVE_FUNCTIONS(X)                                                                    \
    X(archive_read_new)                                                                            \
    X(archive_read_free)                                                                           \
    X(archive_read_support_filter_gzip)                                                            \
    X(archive_read_support_format_tar)                                                             \
    X(archive_read_support_format_zip_streamable)                                                  \
    X(archive_read_support_format_zip_seekable)                                                    \
    X(archive_read_support_format_raw)                                                             \
    X(archive_read_support_format_empty)                                                           \
    X(archive_read_set_read_callback)                                                              \
    X(archive_read_set_seek_callback)                                                              \
    X(archive_read_set_callback_data)                                                              \
    X(archive_read_open1)                                                                          \
    X(archive_read_next_header2)                                                                   \
    X(archive_read_data_block)                                                                     \
    X(archive_read_data_skip)                                                                      \
    X(archive_filter_bytes)                                                                        \
    X(archive_errno)                                                                               \
    X(archive_error_string)                                                                        \
    X(archive_set_error)                                                                           \
    X(archive_entry_new)                                                                           \
    X(archive_entry_free)                                                                          \
    X(archive_entry_clear)                                                                         \
    X(archive_entry_filetype)                                                                      \
    X(archive_entry_hardlink)                                                                      \
    X(archive_entry_is_data_encrypted)                                                             \
    X(archive_entry_pathname)                                                                      \
    X(archive_entry_pathname_utf8)                                                                 \
    X(archive_entry_size)                                                                          \
    X(archive_entry_size_is_set)                                                                   \
    X(archive_entry_sparse_count)                                                                  \
    X(archive_entry_set_filetype)                                                                  \
    X(archive_entry_set_mtime)                                                                     \
    X(archive_entry_set_pathname)                                                                  \
    X(archive_entry_set_perm)                                                                      \
    X(archive_entry_set_size)                                                                      \
    X(archive_write_new)                                                                           \
    X(archive_write_free)                                                                          \
    X(archive_write_close)                                                                         \
    X(archive_write_data)                                                                          \
    X(archive_write_finish_entry)                                                                  \
    X(archive_write_header)                                                                        \
    X(archive_write_open)                                                                          \
    X(archive_write_set_bytes_per_block)                                                           \
    X(archive_write_set_format_pax_restricted)

struct libarchive {
#define X(function) __typeof__(function) *function;
    LIBARCHIVE_FUNCTIONS(X)
#undef X
};

extern struct libarchive la; /* constant after libarchive_open */

/* -1 when the library is not there (EXIT_NODEVICE). To be called before `la` is used, by one
 * thread. */
MUST_USE int libarchive_open(void);

/* A reader that knows no filter and no format yet, and room for what it says of a file; opens the
 * library. Each call on it is checked: one that is not answers out of memory with a signal later.
 * Both are to be freed also after a failure. */
MUST_USE int libarchive_reader(struct archive **a, struct archive_entry **e);
void libarchive_free(struct archive *a, struct archive_entry *e); /* NULL is fine */
/* -1 with what A says: out of memory (EXIT_MEMORY), or that the data are bad. */
int libarchive_fail(struct archive *a);
bool libarchive_is_out_of_memory(struct archive *a);
/* Around calls that deal with names: without memory for one, the library itself ends the program, with
 * 1. Between these that becomes EXIT_MEMORY. */
void libarchive_begin(void);
void libarchive_end(void);

#endif
