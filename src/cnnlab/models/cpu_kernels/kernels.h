/* What every kernel stands on: vectors, panels of channels, and work shared out among the threads of OpenMP. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Channels are handled in panels of this many; a count of channels that is no multiple of it is not taken. */
#define PANEL 16

#ifdef __AVX512F__
#define LANES 16
#define ROWS 14 /* rows of a product that are held in registers: 32 registers, one vector to a row */
#else
#define LANES 8
#define ROWS 6 /* 16 registers, two vectors to a row */
#endif
#define VECTORS (PANEL / LANES)

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float unaligned_vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

typedef int32_t mask __attribute__((vector_size(4 * LANES)));
typedef uint32_t bits __attribute__((vector_size(4 * LANES)));
typedef uint16_t unaligned_halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

INLINE vec load(const float *from) { return *(const unaligned_vec *)from; }
INLINE void store(float *to, vec value) { *(unaligned_vec *)to = value; }
INLINE vec pick(mask where, vec yes, vec no) { return (vec)((where & (mask)yes) | (~where & (mask)no)); }

/* A bfloat16 is the upper half of a float; what is cut off is rounded to the nearest, to the even one of two. */
typedef uint16_t bfloat16;
INLINE vec load_bfloat16(const bfloat16 *from) {
    return (vec)(__builtin_convertvector(*(const unaligned_halves *)from, bits) << 16);
}
INLINE void store_bfloat16(bfloat16 *to, vec value) {
    bits all = (bits)value, rounded = (all + 0x7fff + (all >> 16 & 1)) >> 16;
    /* Rounding would carry into the sign of what is not a number. */
    bits not_a_number = (bits)(mask)(value != value);
    rounded = (not_a_number & 0x7fff) | (~not_a_number & rounded);
    *(unaligned_halves *)to = __builtin_convertvector(rounded, unaligned_halves);
}

/* Does `part(job, i, scratch)` for every i below `parts`, on up to `threads` threads. Each thread has `scratch_size` floats
   of its own from `scratch` on. Which thread does which part is left to chance, so a part writes only what is its own. */
typedef void part_function(const void *job, long part, float *scratch);
void share_out(part_function *part, const void *job, long parts, float *scratch, long scratch_size, int threads);

/* acc[row][16] += the sum over k of a[row, k] · b[k][16], where a[row, k] lies at a + row · row_stride + k · depth_stride and
   b[k] at b + k · width. `rows` is a constant wherever this is called, so that acc stays in registers. */
INLINE void multiply(int rows, long depth, const float *a, long row_stride, long depth_stride, const float *b, long width,
                     vec acc[ROWS][VECTORS]) {
    for (long k = 0; k < depth; k++, a += depth_stride, b += width) {
        vec factor[VECTORS];
        for (int j = 0; j < VECTORS; j++) factor[j] = load(b + j * LANES);
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < VECTORS; j++) acc[i][j] += a[i * row_stride] * factor[j];
    }
}
INLINE void clear(int rows, vec acc[ROWS][VECTORS]) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < VECTORS; j++) acc[i][j] = (vec){0};
}
INLINE void load_rows(int rows, const float *from, long stride, vec acc[ROWS][VECTORS]) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < VECTORS; j++) acc[i][j] = load(from + i * stride + j * LANES);
}
INLINE void store_rows(int rows, float *to, long stride, vec acc[ROWS][VECTORS]) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < VECTORS; j++) store(to + i * stride + j * LANES, acc[i][j]);
}
