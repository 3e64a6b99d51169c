/* Captured streams and graphs: see cuda_runtime.h. A graph is what its streams were given, in order, and is
 * launched by giving it again: the first stream's part to the one it is launched on, the others' to streams
 * of its own. Arguments are those of the capture; what they point to is read when the work runs. */
#include "streams.h"

#include <set>
#include <vector>

enum kind { WORK, RECORD, WAIT };

struct part {
    enum kind kind;
    int stream; /* 0: the one that was captured first */
    std::function<void()> work;
    int place;
};

struct capture {
    std::vector<cudaStream_t> streams;
    std::vector<part> parts;
    std::set<int64_t> given; /* allocations */
    int places;
    bool spoilt, ended;
};

struct emulated_graph {
    std::shared_ptr<capture> what;
};

struct emulated_graph_exec {
    std::shared_ptr<capture> what;
    std::vector<cudaStream_t> others;
};

static std::shared_ptr<capture> present; /* one at a time */

bool capture_goes_on(const capture *c)
{
    return !c->ended;
}

void capture_spoil(capture *c)
{
    c->spoilt = true;
}

cudaError_t emulate_not_captured(void)
{
    if (!present)
        return cudaSuccess;
    present->spoilt = true;
    return cudaErrorStreamCaptureUnsupported;
}

static int number_of(capture *c, cudaStream_t s)
{
    for (size_t i = 0; i < c->streams.size(); i++)
        if (c->streams[i] == s)
            return (int)i;
    c->streams.push_back(s);
    return (int)c->streams.size() - 1;
}

void capture_work(capture *c, cudaStream_t s, std::function<void()> work)
{
    c->parts.push_back({ WORK, number_of(c, s), std::move(work), 0 });
}

int capture_record(capture *c, cudaStream_t s)
{
    c->parts.push_back({ RECORD, number_of(c, s), NULL, c->places });
    return c->places++;
}

void capture_wait(capture *c, cudaStream_t s, int place)
{
    c->parts.push_back({ WAIT, number_of(c, s), NULL, place });
}

void emulate_given(cudaStream_t s, const void *bytes, size_t n)
{
    const auto c = s ? emulate_capture_of(s) : NULL;

    for (size_t i = 0; c && i + sizeof(void *) <= n; i += sizeof(void *)) {
        const void *p;

        memcpy(&p, (const char *)bytes + i, sizeof p);
        const int64_t at = emulate_allocation_at(p);

        if (at)
            c->given.insert(at);
    }
}

cudaError_t cudaStreamBeginCapture(cudaStream_t s, cudaStreamCaptureMode)
{
    if (present || !emulate_captures())
        return cudaErrorStreamCaptureUnsupported;
    present = std::make_shared<capture>();
    present->streams.push_back(s);
    emulate_set_capture(s, present);
    return cudaSuccess;
}

/* Whether the first stream waits, directly or by others, for the end of each. */
static bool all_joined(const capture &c)
{
    std::vector<int> end(c.streams.size(), -1); /* where it is waited for, the last thing that it does */
    std::vector<bool> joined(c.streams.size(), false);

    for (const part &p : c.parts)
        end[p.stream] = p.kind == RECORD ? p.place : -1;
    joined[0] = true;
    for (size_t again = 0; again < c.streams.size(); again++)
        for (const part &p : c.parts)
            for (size_t s = 0; p.kind == WAIT && joined[p.stream] && s < c.streams.size(); s++)
                if (end[s] == p.place)
                    joined[s] = true;
    for (const bool one : joined)
        if (!one)
            return false;
    return true;
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *g)
{
    const auto c = emulate_capture_of(s);

    *g = NULL;
    if (!c)
        emulate_fail("the end of a capture that never began");
    for (cudaStream_t one : c->streams)
        emulate_set_capture(one, NULL);
    c->ended = true;
    present = NULL;
    if (c->spoilt)
        return cudaErrorStreamCaptureInvalidated;
    if (!all_joined(*c))
        return cudaErrorStreamCaptureUnjoined;
    *g = new emulated_graph{ c };
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t g, unsigned long long)
{
    *exec = new emulated_graph_exec{ g->what, {} };
    for (size_t i = 1; i < g->what->streams.size(); i++) {
        cudaStream_t one;

        (void)cudaStreamCreateWithFlags(&one, cudaStreamNonBlocking);
        (*exec)->others.push_back(one);
    }
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s)
{
    std::vector<std::shared_ptr<mark>> place((size_t)exec->what->places);

    if (!emulate_launches() || !emulate_graphs())
        return cudaErrorLaunchFailure;
    for (const int64_t number : exec->what->given)
        if (!emulate_allocation_lives(number))
            emulate_fail("a graph that names memory which was released");
    for (const part &p : exec->what->parts) {
        const cudaStream_t to = p.stream ? exec->others[(size_t)p.stream - 1] : s;

        if (p.kind == WORK)
            emulate_queue(to, p.work);
        else if (p.kind == RECORD)
            place[(size_t)p.place] = emulate_mark(to);
        else
            emulate_wait(to, place[(size_t)p.place]);
    }
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t g)
{
    delete g;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    for (cudaStream_t one : exec->others)
        (void)cudaStreamDestroy(one);
    delete exec;
    return cudaSuccess;
}
