#include "kernels.h"

/* Of the OpenMP library that torch has loaded already: its threads, and no second set that would fight them for cores. */
void GOMP_parallel(void (*function)(void *), void *argument, unsigned threads, unsigned flags);

typedef struct {
    part_function *part;
    const void *job;
    long parts, next, members;
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
    if (threads == 1 || parts == 1)
        take_parts(&t);
    else
        GOMP_parallel(take_parts, &t, (unsigned)threads, 0);
}
