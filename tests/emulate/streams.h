/* streams.h - what the stand-in's launches and copies need of its streams. */
#ifndef EMULATED_STREAMS_H
#define EMULATED_STREAMS_H

#include "cuda_runtime.h"

#include <memory>

/* WORK behind all that STREAM has. */
void emulate_queue(cudaStream_t stream, std::function<void()> work);
/* Whether nothing is queued anywhere. */
bool emulate_idle(void);

/* Where work goes while a stream is captured (graphs.cc). */
struct capture;
/* The capture that STREAM is part of, or NULL. */
std::shared_ptr<capture> emulate_capture_of(cudaStream_t stream);
void emulate_set_capture(cudaStream_t stream, std::shared_ptr<capture> c);
/* WHAT cannot be done while any stream is captured: it spoils the capture. */
cudaError_t emulate_not_captured(void);
void capture_work(capture *c, cudaStream_t stream, std::function<void()> work);
/* The number of a place in STREAM, and a wait for that place. */
int capture_record(capture *c, cudaStream_t stream);
void capture_wait(capture *c, cudaStream_t stream, int number);
void capture_spoil(capture *c);
bool capture_goes_on(const capture *c);

/* ---- what emulate.cc and streams.cc give graphs ---- */

/* The allocation that address P is in: its number, never given twice; 0: none. And whether it is there. */
int64_t emulate_allocation_at(const void *p);
bool emulate_allocation_lives(int64_t number);
/* Another failed launch, for who asks for the last error; false where this one is to fail. */
bool emulate_launches(void);
/* One of the captures that the machine may make. */
bool emulate_captures(void);
/* And one of the launches of graphs. */
bool emulate_graphs(void);
/* A place in STREAM, behind all that it has, and a wait for one. */
struct mark;
std::shared_ptr<mark> emulate_mark(cudaStream_t stream);
void emulate_wait(cudaStream_t stream, std::shared_ptr<mark> m);

#endif
