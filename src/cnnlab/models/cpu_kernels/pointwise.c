/* What stands between two convolutions, in one pass over the maps where torch makes one for each: batch normalisation, ReLU
   and 2×2 maximum pooling, any of the three left out. Maps lie as N×H×W×C.

   With z = scale · x + shift, the batch normalisation, an output is the largest z of its window where there is a pool, or else
   its one z, and zero where there is a ReLU and that is negative: ReLU keeps order, so that it may as well come last. Nothing
   but x is kept for the backward pass: which z was the largest, of equals the first as in torch, and whether it was negative,
   is worked out again. Comparisons are written so that a NaN is the largest of its window and no ReLU takes it away. */
#include "kernels.h"

/* Rows of outputs in one part of the work that threads share. A row takes one row of x, or two where there is a pool. */
#define STRETCH 4
/* Values of a channel that are summed in single precision before they are added in double. */
#define FEW 64

typedef double wide __attribute__((vector_size(8 * LANES)));
typedef double unaligned_wide __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

INLINE void add_wide(double *to, vec value) { *(unaligned_wide *)to += __builtin_convertvector(value, wide); }
INLINE vec pick_not(mask where, vec value) { return (vec)(~where & (mask)value); }
INLINE mask exceeds(vec value, vec other) { return (mask)(value > other) | (mask)(value != value); }
INLINE vec constant(const float *of, long c, float otherwise) { return of ? load(of + c) : (vec){0} + otherwise; }

/* The window of one output in x: where its first place lies, and how far from it are the one on the right and the one below; 0
   where the map ends before them, so that the first is read again. */
typedef struct { long first, right, below; } window;

typedef struct { vec x[4], z[4], top; } values;

/* The gradient that reaches z of each place, of the gradient g of the output: all of it for the first that is the largest (or a
   NaN), unless ReLU cut it off; none for the rest. */
INLINE void arriving(const values *found, vec g, int size, int has_relu, vec to[4]) {
    if (has_relu) g = pick_not(found->top <= 0, g);
    for (int i = 0; i < size; i++) {
        mask is_it = (mask)(found->z[i] == found->top) | (mask)(found->z[i] != found->z[i]);
        to[i] = size == 1 ? g : (vec)(is_it & (mask)g);
        g = pick_not(is_it, g);
    }
}

/* All passes once for maps in float32 and once for maps in bfloat16; sums and constants are in float32 or better. */
#define JOB pointwise_job
#define NAMED(name) name
#define VALUE float
#define READ load
#define WRITE store
#include "pointwise.h"

#undef JOB
#undef NAMED
#undef VALUE
#undef READ
#undef WRITE
#define JOB pointwise_job_bfloat16
#define NAMED(name) name##_bfloat16
#define VALUE bfloat16
#define READ load_bfloat16
#define WRITE store_bfloat16
#include "pointwise.h"
