/* Streams and events: queues whose work runs as late, or as early, as is allowed; see cuda_runtime.h. */
#include "streams.h"

#include <deque>
#include <memory>
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
};

struct emulated_event {
    std::shared_ptr<mark> last; /* NULL: never recorded, and nothing to wait for */
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
    queue(s, { std::move(work), NULL });
}

static void finish(cudaStream_t s)
{
    while (!s->tasks.empty())
        step(s);
}

void emulate_finish(void)
{
    for (cudaStream_t s : streams)
        finish(s);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *s, unsigned)
{
    streams.push_back(*s = new emulated_stream);
    return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t s)
{
    finish(s);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t s, cudaEvent_t e, unsigned)
{
    if (e->last)
        queue(s, { NULL, e->last });
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
    *e = new emulated_event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t s)
{
    const auto m = std::make_shared<mark>(mark{ s, false });

    e->last = m;
    queue(s, { [=] { m->reached = true; }, NULL });
    return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t e)
{
    if (e->last)
        reach(e->last);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t e)
{
    delete e;
    return cudaSuccess;
}
