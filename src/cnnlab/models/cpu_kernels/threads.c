#include "kernels.h"

/* What gcc makes of `#pragma omp parallel`. With -fopenmp the OpenMP library of the system would be linked beside the one that
   torch brings along: two sets of threads, fighting for the cores. Torch's has been loaded by the time that this is, and the
   OpenMP libraries of gcc, LLVM and Intel all have this function. */
void GOMP_parallel(void (*function)(void *), void *argument, unsigned threads, unsigned flags);

typedef struct {
    part_function *part;
    const void *job;
    long parts, next, members; /* how many parts there are, were begun, and how many threads have come */
    float *scratch;
    long scratch_size;
} team;

static void take_parts(void *argument) {
    team *t = argument;
    float *scratch = t->scratch + t->scratch_size * __atomic_fetch_add(&t->members, 1, __ATOMIC_RELAXED);
    for (long i; (i = __atomic_fetch_add(&t->next, 1, __ATOMIC_RELAXED)) < t->parts;) t->part(t->job, i, scratch);
}

void share_out(part_function *part, const void *job, long parts, float *scratch, long scratch_size, int threads) {
    team t = {part, job, parts, 0, 0, scratch, scratch_size};
    if (threads <= 1 || parts <= 1)
        take_parts(&t);
    else
        GOMP_parallel(take_parts, &t, (unsigned)threads, 0);
}
