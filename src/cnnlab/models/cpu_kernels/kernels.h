/* What all kernels have in common: vectors, panels of channels, small products of matrices, and work that is shared out among
   threads. Written in the vector types of gcc and clang, which both turn into the instructions that the flags allow. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Channels are handled in panels of this many: a cache line of floats. Python hands over multiples of it only. */
#define PANEL 16

#ifdef __AVX512F__
#define LANES 16
#define ROWS 14 /* rows of a product held in registers: of 32, one to a row, with some left for the factors */
#else
#define LANES 8
#define ROWS 6 /* of 16 registers, two to a row */
#endif
#define VECTORS (PANEL / LANES)

#define INLINE static inline __attribute__((always_inline))

/* Feature maps lie as N×H×W×C; Python hands their sizes over in that order. */
typedef struct { long n, height, width, channels; } maps;
INLINE maps maps_of(const long *sizes) { return (maps){sizes[0], sizes[1], sizes[2], sizes[3]}; }
INLINE long smaller(long a, long b) { return a < b ? a : b; }

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float unaligned_vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

typedef int32_t mask __attribute__((vector_size(4 * LANES)));
typedef uint32_t bits __attribute__((vector_size(4 * LANES)));
typedef uint16_t unaligned_halves __attribute__((vector_size(2 * LANES), aligned(2), may_alias));

INLINE vec load(const float *from) { return *(const unaligned_vec *)from; }
INLINE void store(float *to, vec value) { *(unaligned_vec *)to = value; }
/* `where` is all ones or all zeros in each lane, as a comparison gives it. */
INLINE vec pick(mask where, vec yes, vec no) { return (vec)((where & (mask)yes) | (~where & (mask)no)); }

/* A bfloat16 is the upper half of a float. Rounding is to the nearest, and of two that are as near to the even one. */
typedef uint16_t bfloat16;
INLINE vec load_bfloat16(const bfloat16 *from) {
    return (vec)(__builtin_convertvector(*(const unaligned_halves *)from, bits) << 16);
}
INLINE void store_bfloat16(bfloat16 *to, vec value) {
    bits all = (bits)value, rounded = (all + 0x7fff + (all >> 16 & 1)) >> 16;
    /* Of a NaN with all bits set, rounding would carry into the sign and make a zero. */
    bits not_a_number = (bits)(mask)(value != value);
    rounded = (not_a_number & 0x7fff) | (~not_a_number & rounded);
    *(unaligned_halves *)to = __builtin_convertvector(rounded, unaligned_halves);
}

/* Does `part(job, i, scratch)` for every i below `parts`, on up to `threads` threads. `scratch` holds `scratch_size` floats for
   each of them. Which thread does which part is left to chance: a part depends on no other and writes what no other writes, so
   that results do not hang on the order. */
typedef void part_function(const void *job, long part, float *scratch);
void share_out(part_function *part, const void *job, long parts, float *scratch, long scratch_size, int threads);

/* acc[row][16] += the sum over k < depth of a[row, k] · b[k][16], where a[row, k] lies at a + row · row_stride +
   k · depth_stride, and b[k] at b + k · width. `rows` is a constant wherever this is called, so that the loops over it are
   unrolled and acc stays in registers. */
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
