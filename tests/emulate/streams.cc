/* Streams and events: queues whose work runs as late, or as early, as is allowed; see cuda_runtime.h. */
#include "streams.h"

#include <deque>
#include <stdlib.h>
#include <vector>

/* A place in a stream, reached or not. */
struct mark {
    cudaStream_t on;
    bool reached;
};

struct task {
    std::function<void()> work;
    std::shared_ptr<mark> after; /* NULL: runs when what stands before it has run */
};

struct emulated_stream {
    std::deque<task> tasks;
    std::shared_ptr<capture> captured; /* NULL: it runs */
};

struct emulated_event {
    std::shared_ptr<mark> last; /* NULL: never recorded, and nothing to wait for */
    std::shared_ptr<capture> in; /* that it was recorded in last, and its number there */
    int number;
};

static std::vector<cudaStream_t> streams; /* in the order of their making */

static bool early(void)
{
    const char *const said = getenv("SLMTOOLS_EMULATE_ORDER");

    return said && !strcmp(said, "reverse");
}

static void reach(const std::shared_ptr<mark> &m);

static void run_next(cudaStream_t s)
{
    const task t = std::move(s->tasks.front());

    s->tasks.pop_front();
    if (t.after)
        reach(t.after);
    else
        t.work();
}

/* All streams but the first, as far as they may go. */
static void hurry(void)
{
    for (size_t i = 1; i < streams.size(); i++)
        while (!streams[i]->tasks.empty() &&
               (!streams[i]->tasks.front().after || streams[i]->tasks.front().after->reached))
            run_next(streams[i]);
}

static void step(cudaStream_t s)
{
    run_next(s);
    if (early())
        hurry();
}

static void reach(const std::shared_ptr<mark> &m)
{
    while (!m->reached)
        step(m->on);
}

static void queue(cudaStream_t s, task t)
{
    s->tasks.push_back(std::move(t));
    if (early())
        hurry();
}

void emulate_queue(cudaStream_t s, std::function<void()> work)
{
    if (!s)
        emulate_fail("work on the stream that waits for all others");
    if (s->captured)
        capture_work(s->captured.get(), s, std::move(work));
    else
        queue(s, { std::move(work), NULL });
}

std::shared_ptr<capture> emulate_capture_of(cudaStream_t s)
{
    return s->captured;
}

void emulate_set_capture(cudaStream_t s, std::shared_ptr<capture> c)
{
    s->captured = std::move(c);
}

std::shared_ptr<mark> emulate_mark(cudaStream_t s)
{
    const auto m = std::make_shared<mark>(mark{ s, false });

    queue(s, { [=] { m->reached = true; }, NULL });
    return m;
}

void emulate_wait(cudaStream_t s, std::shared_ptr<mark> m)
{
    queue(s, { NULL, std::move(m) });
}

static void finish(cudaStream_t s)
{
    while (!s->tasks.empty())
        step(s);
}

bool emulate_idle(void)
{
    for (cudaStream_t s : streams)
        if (!s->tasks.empty())
            return false;
    return true;
}

cudaError_t cudaDeviceSynchronize(void)
{
    if (emulate_not_captured())
        return cudaErrorStreamCaptureUnsupported;
    for (cudaStream_t s : streams)
        finish(s);
    return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    streams.push_back(*s = new emulated_stream);
    return emulate_not_captured();
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    if (s->captured)
        return emulate_not_captured();
    finish(s);
    return cudaSuccess;
}

/* A stream that waits for a place in a capture becomes part of it. */
cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned)
{
    if (e->in && (s->captured ? s->captured == e->in : capture_goes_on(e->in.get()))) {
        s->captured = e->in;
        capture_wait(e->in.get(), s, e->number);
        return cudaSuccess;
    }
    if (s->captured) {
        capture_spoil(s->captured.get());
        return cudaErrorStreamCaptureIsolation;
    }
    if (e->in)
        return cudaErrorCapturedEvent;
    if (e->last)
        emulate_wait(s, e->last);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t s)
{
    finish(s);
    for (size_t i = 0; i < streams.size(); i++)
        if (streams[i] == s)
            streams.erase(streams.begin() + (long)i);
    delete s;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *e, unsigned)
{
    *e = new emulated_event{};
    return emulate_not_captured();
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    e->in = s->captured;
    if (e->in)
        e->number = capture_record(e->in.get(), s);
    else
        e->last = emulate_mark(s);
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    if (e->in)
        return cudaErrorCapturedEvent;
    if (e->last)
        reach(e->last);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    delete e;
    return cudaSuccess;
}
