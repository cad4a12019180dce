/* What stands between two convolutions, in one pass over the maps where torch makes one for each: batch normalisation, ReLU
   and 2×2 maximum pooling, any of the three left out. Maps lie as N×H×W×C.

   A value is z = scale · x + shift, cut off at zero where there is a ReLU, then the largest of its window where there is a
   pool. Nothing but x is kept for the way back: which values were cut off, and which was the largest, the first of equals as
   torch has it, are worked out again from it. What is not a number stays so: comparisons are written for it. */
#include "kernels.h"

/* Rows of outputs are dealt out in stretches; a row of outputs takes one row of x, or two where there is a pool. */
#define STRETCH 4
/* Values a channel that are summed in single precision before they are added in double. */
#define FEW 64

typedef double wide __attribute__((vector_size(8 * LANES)));
typedef double unaligned_wide __attribute__((vector_size(8 * LANES), aligned(8), may_alias));

INLINE void add_wide(double *to, vec value) { *(unaligned_wide *)to += __builtin_convertvector(value, wide); }
INLINE vec pick_not(mask where, vec value) { return (vec)(~where & (mask)value); }
INLINE vec constant(const float *of, long c, float otherwise) { return of ? load(of + c) : (vec){0} + otherwise; }
INLINE long smaller(long a, long b) { return a < b ? a : b; }

/* The places of one output in x: where the first lies, and how far the one on the right and the one below are from it; 0 where
   the map ends before them. */
typedef struct { long first, right, below; } window;

typedef struct { vec x[4], z[4], top; } values;

/* The gradient that reaches z of each place: g for the first that is the largest, unless it was cut off; zero for the rest. */
INLINE void arriving(const values *found, vec g, int size, int has_relu, vec to[4]) {
    if (has_relu) g = pick_not(found->top <= 0, g);
    for (int i = 0; i < size; i++) {
        mask is_it = (mask)(found->z[i] == found->top) | (mask)(found->z[i] != found->z[i]);
        to[i] = size == 1 ? g : (vec)(is_it & (mask)g);
        g = pick_not(is_it, g);
    }
}

/* All of it once for maps in float32 and once for maps in bfloat16; sums and constants are in float32 or better. */
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
