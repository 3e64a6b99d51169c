/* streams.h - what the stand-in's launches and copies need of its streams. */
#ifndef EMULATED_STREAMS_H
#define EMULATED_STREAMS_H

#include "cuda_runtime.h"

/* WORK behind all that STREAM has. */
void emulate_queue(cudaStream_t stream, std::function<void()> work);
/* All that is queued anywhere. */
void emulate_finish(void);

#endif
