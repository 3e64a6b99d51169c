#include "threads.h"

#include "mem.h"

#include <omp.h>
#include <pthread.h>
#include <stdlib.h>

static void *pass(void *gate)
{
    (void)pthread_mutex_lock(gate);
    (void)pthread_mutex_unlock(gate);
    return NULL;
}

/* How many of N threads the system has for us beside this one: they are all there at once, waiting
 * at a gate. Their stacks are kept by the C library for those that follow. */
static int try(int n)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_t *thread = xnmalloc((size_t)n, sizeof *thread);
    int got = 0;

    (void)pthread_mutex_lock(&gate);
    while (got < n && pthread_create(thread + got, NULL, pass, &gate) == 0)
        got++;
    (void)pthread_mutex_unlock(&gate);
    for (int i = 0; i < got; i++)
        (void)pthread_join(thread[i], NULL);
    free(thread);
    return got;
}

int threads_use(int64_t wanted)
{
    const int most = THREADS_PER_PROCESSOR * omp_get_num_procs();
    int64_t n = wanted > 0 ? wanted : omp_get_max_threads();

    if (n > most)
        n = most;
    if (n > 1)
        n = 1 + try((int)n - 1);
    omp_set_num_threads((int)n);
    return (int)n;
}

/* Before the constructor of libgomp, which reads it. */
__attribute__((constructor(101))) static void sleep_soon(void)
{
    if (!getenv("OMP_WAIT_POLICY"))
        (void)setenv("GOMP_SPINCOUNT", "1000", 0);
}
