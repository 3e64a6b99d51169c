/*
 * view_tensorboard.c - the log of a training as TensorBoard's event file.
 *
 * A file of records as TensorFlow frames them: length (8 bytes, the lowest first), its masked
 * CRC-32C, the bytes, theirs. Each holds one Event in the wire format of protocol buffers:
 *
 *     Event   { double wall_time = 1; int64 step = 2; string file_version = 3; Summary summary = 5;
 * } Summary { repeated Value value = 1; }      Value { string tag = 1; float simple_value = 2; }
 *
 * Sources: tensorboard/compat/proto/{event,summary}.proto, tensorflow/core/lib/io/record_writer.h;
 * CRC-32C is that of RFC 3720, appendix B.4.
 */
#include "training_log.h"
#include "view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- framing ---- */

static uint32_t crc32c(const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    return ~crc;
}

static void put_bytes(struct buf *b, uint64_t v, int n)
{
    for (int i = 0; i < n; i++)
        buf_putc(b, (char)(v >> 8 * i & 255));
}

/* A digest that lies beside what it is of must not look like one of its own. */
static void put_masked(struct buf *b, const void *bytes, size_t n)
{
    const uint32_t crc = crc32c(bytes, n);

    put_bytes(b, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

static void put_record(struct buf *b, const struct buf *event)
{
    const size_t at = b->n;

    put_bytes(b, event->n, 8);
    put_masked(b, b->p + at, 8);
    buf_add(b, event->p, event->n);
    put_masked(b, event->p, event->n);
}

/* ---- messages ---- */

enum wire { VARINT = 0, EIGHT_BYTES = 1, COUNTED = 2, FOUR_BYTES = 5 };

static void put_varint(struct buf *b, uint64_t v)
{
    for (; v >= 128; v >>= 7)
        buf_putc(b, (char)((v & 127) | 128));
    buf_putc(b, (char)v);
}

static void put_key(struct buf *b, unsigned field, enum wire wire)
{
    put_varint(b, field << 3 | wire);
}

static void put_counted(struct buf *b, unsigned field, const void *bytes, size_t n)
{
    put_key(b, field, COUNTED);
    put_varint(b, n);
    buf_add(b, bytes, n);
}

/* Time is what no output of ours has: the step stands for its second. */
static void begin_event(struct buf *b, double step)
{
    uint64_t bits;

    memcpy(&bits, &step, sizeof bits);
    put_key(b, 1, EIGHT_BYTES);
    put_bytes(b, bits, 8);
    put_key(b, 2, VARINT);
    put_varint(b, (uint64_t)step);
}

/* The tag that a field has where transformers' TensorBoardCallback writes it: "eval_loss" is
 * "eval/loss", "loss" is "train/loss", and the rate has its whole name. */
static void put_tag(struct buf *b, const char *field)
{
    const bool eval = !strncmp(field, "eval_", 5);

    if (!strcmp(field, "lr"))
        field = "learning_rate";
    buf_printf(b, "%s/%s", eval ? "eval" : "train", eval ? field + 5 : field);
}

static void put_value(struct buf *out, const struct training_field *f, size_t i)
{
    const float value = (float)f->value[i];
    struct buf tag = BUF_INIT, v = BUF_INIT, summary = BUF_INIT, event = BUF_INIT;
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_tag(&tag, f->name);
    put_counted(&v, 1, tag.p, tag.n);
    put_key(&v, 2, FOUR_BYTES);
    put_bytes(&v, bits, 4);
    put_counted(&summary, 1, v.p, v.n);
    begin_event(&event, f->step[i]);
    put_counted(&event, 5, summary.p, summary.n);
    put_record(out, &event);
    buf_free(&tag);
    buf_free(&v);
    buf_free(&summary);
    buf_free(&event);
}

static void put_log(struct buf *out, const struct training_log *log)
{
    static const char version[] = "brain.Event:2";
    struct buf event = BUF_INIT;

    begin_event(&event, 0);
    put_counted(&event, 3, version, sizeof version - 1);
    put_record(out, &event);
    buf_free(&event);
    for (size_t k = 0; k < log->n; k++)
        for (size_t i = 0; i < log->fields[k].n; i++)
            put_value(out, &log->fields[k], i);
}

/* ---- the file ---- */

static int write_events(const struct peek *p, const struct training_log *log)
{
    struct buf name = BUF_INIT, b = BUF_INIT;
    struct outfile *f = NULL;
    const bool made = mkdir(p->tensorboard, 0777) == 0;
    int rc = 0;

    if (!made && errno != EEXIST)
        return err_set(EXIT_CREATE, "%s: cannot create: %s", p->tensorboard, strerror(errno));
    buf_printf(&name, "%s/events.out.tfevents.0.slmtools", p->tensorboard);
    rc = outfile_open(&f, name.p, p->common.force, false);
    if (rc == 0) {
        put_log(&b, log);
        rc = outfile_write(f, b.p, b.n);
    }
    if (rc == 0)
        rc = outfile_commit(f);
    else
        outfile_abort(f);
    if (rc < 0 && made)
        (void)rmdir(p->tensorboard);
    buf_free(&name);
    buf_free(&b);
    return rc;
}

int view_tensorboard(const struct peek *p)
{
    struct training_log log;
    const int rc = training_log_read(&log, first_path(p)) < 0 ? -1 : write_events(p, &log);

    training_log_free(&log);
    return rc;
}
