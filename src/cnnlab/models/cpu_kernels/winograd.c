/* 3×3 convolutions with stride 1 by Winograd's F(4×4, 3×3): 36 products where the definition takes 144.

   A. Lavin and S. Gray, Fast Algorithms for Convolutional Neural Networks, 2015, equations 8 to 14. A tile of 6×6 inputs d
   gives 4×4 outputs Y = Aᵀ[(G w Gᵀ) ⊙ (Bᵀ d B)]A. Summed over channels, ⊙ is 36 products of matrices, one for each of the
   36 transformed values, the points. The gradient of the input is a convolution of the gradient g with the weights turned by
   half a turn; that of the weights is the adjoint of Y in w: Gᵀ[(A g Aᵀ) ⊙ (Bᵀ d B)]G, summed over tiles.

   Feature maps lie as N×H×W×C. Transformed maps lie as [point][panel][tile][16], transformed weights as
   [point][panel of k][c][16], so that all products read and write whole cache lines one after another. A block of tiles is
   transformed, multiplied and transformed back before the next, so that nothing of it leaves the cache.

   The matrices hold factors up to 8 and divisors up to 24, so that rounding weighs some ten times more than in the definition:
   in float32 up to 1e-5 of the largest value, for which bfloat16 has no digits to spare. */
#include "kernels.h"

#define TILE 4
#define POINTS 36

typedef struct { long rows, columns, count; } tiling;
typedef struct { long image, y, x; } place;

static tiling tile_maps(maps of) {
    tiling tiles = {(of.height + TILE - 1) / TILE, (of.width + TILE - 1) / TILE, 0};
    tiles.count = of.n * tiles.rows * tiles.columns;
    return tiles;
}
INLINE place place_of(tiling tiles, long tile) {
    long in_image = tile % (tiles.rows * tiles.columns);
    return (place){tile / (tiles.rows * tiles.columns), in_image / tiles.columns * TILE, in_image % tiles.columns * TILE};
}

/* The matrices of the paper, each applied to a column `from` whose entries lie `step` apart. */
INLINE void input_points(const vec *from, int step, vec *to, int to_step) { /* Bᵀ */
    vec d0 = from[0], d1 = from[step], d2 = from[2 * step], d3 = from[3 * step], d4 = from[4 * step], d5 = from[5 * step];
    vec a = d4 - 4 * d2, b = d3 - 4 * d1, c = d4 - d2, e = 2 * (d3 - d1);
    to[0] = 4 * d0 - 5 * d2 + d4;
    to[to_step] = a + b;
    to[2 * to_step] = a - b;
    to[3 * to_step] = c + e;
    to[4 * to_step] = c - e;
    to[5 * to_step] = 4 * d1 - 5 * d3 + d5;
}
INLINE void output_values(const vec *from, int step, vec *to, int to_step) { /* Aᵀ */
    vec a = from[step] + from[2 * step], b = from[step] - from[2 * step];
    vec c = from[3 * step] + from[4 * step], d = from[3 * step] - from[4 * step];
    to[0] = from[0] + a + c;
    to[to_step] = b + 2 * d;
    to[2 * to_step] = a + 4 * c;
    to[3 * to_step] = b + 8 * d + from[5 * step];
}
INLINE void gradient_points(const vec *from, int step, vec *to, int to_step) { /* A */
    vec a = from[0] + from[2 * step], b = from[step] + from[3 * step];
    vec c = from[0] + 4 * from[2 * step], d = 2 * from[step] + 8 * from[3 * step];
    to[0] = from[0];
    to[to_step] = a + b;
    to[2 * to_step] = a - b;
    to[3 * to_step] = c + d;
    to[4 * to_step] = c - d;
    to[5 * to_step] = from[3 * step];
}
INLINE void weight_points(const vec *from, int step, vec *to, int to_step) { /* G */
    vec a = (from[0] + from[2 * step]) * (1.f / 6), b = from[step] * (1.f / 6);
    vec c = from[0] * (1.f / 24) + from[2 * step] * (1.f / 6), d = from[step] * (1.f / 12);
    to[0] = from[0] * 0.25f;
    to[to_step] = -a - b;
    to[2 * to_step] = b - a;
    to[3 * to_step] = c + d;
    to[4 * to_step] = c - d;
    to[5 * to_step] = from[2 * step];
}
INLINE void weight_values(const vec *from, int step, vec *to, int to_step) { /* Gᵀ */
    vec a = (from[step] + from[2 * step]) * (1.f / 6), b = (from[2 * step] - from[step]) * (1.f / 6);
    vec c = from[3 * step] + from[4 * step], d = (from[3 * step] - from[4 * step]) * (1.f / 12);
    to[0] = from[0] * 0.25f - a + c * (1.f / 24);
    to[to_step] = b + d;
    to[2 * to_step] = c * (1.f / 6) - a + from[5 * step];
}

/* Bᵀ d B of `count` tiles from `first` on, zero where they reach beyond the map. A panel of `points` holds `room` tiles. */
static void transform_input(const float *x, maps in, tiling tiles, const long *padding, long first, long count, long room,
                            float *points) {
    long point_size = in.channels * room;
    for (long t = 0; t < count; t++) {
        place at = place_of(tiles, first + t);
        long top = at.y - padding[0], left = at.x - padding[1];
        const float *image = x + at.image * in.height * in.width * in.channels;
        int is_inside = top >= 0 && left >= 0 && top + 6 <= in.height && left + 6 <= in.width;
        for (long c = 0; c < in.channels; c += LANES) {
            vec tile[36], half[36], row[6];
            for (int i = 0; i < 6; i++)
                for (int j = 0; j < 6; j++) {
                    long y = top + i, x_ = left + j;
                    int is_there = is_inside || (y >= 0 && x_ >= 0 && y < in.height && x_ < in.width);
                    tile[6 * i + j] = is_there ? load(image + (y * in.width + x_) * in.channels + c) : (vec){0};
                }
            for (int j = 0; j < 6; j++) input_points(tile + j, 6, half + j, 6);
            float *to = points + (c / PANEL * room + t) * PANEL + c % PANEL;
            for (int i = 0; i < 6; i++) {
                input_points(half + 6 * i, 1, row, 1);
                for (int j = 0; j < 6; j++) store(to + (6 * i + j) * point_size, row[j]);
            }
        }
    }
}

/* A g Aᵀ of the filters from `k` to `end`, likewise. */
static void transform_gradient(const float *g, maps out, tiling tiles, long first, long count, long room, long k, long end,
                               float *points) {
    long point_size = out.channels * room;
    for (long t = 0; t < count; t++) {
        place at = place_of(tiles, first + t);
        const float *image = g + at.image * out.height * out.width * out.channels;
        int is_inside = at.y + TILE <= out.height && at.x + TILE <= out.width;
        for (long c = k; c < end; c += LANES) {
            vec tile[16], half[24], row[6];
            for (int i = 0; i < 4; i++)
                for (int j = 0; j < 4; j++) {
                    long y = at.y + i, x = at.x + j;
                    int is_there = is_inside || (y < out.height && x < out.width);
                    tile[4 * i + j] = is_there ? load(image + (y * out.width + x) * out.channels + c) : (vec){0};
                }
            for (int j = 0; j < 4; j++) gradient_points(tile + j, 4, half + j, 4);
            float *to = points + (c / PANEL * room + t) * PANEL + c % PANEL;
            for (int i = 0; i < 6; i++) {
                gradient_points(half + 4 * i, 1, row, 1);
                for (int j = 0; j < 6; j++) store(to + (6 * i + j) * point_size, row[j]);
            }
        }
    }
}

/* Y = Aᵀ m A + bias, as far as it lies inside the map. */
static void transform_output(const float *points, const float *bias, float *y, maps out, tiling tiles, long first, long count,
                             long room) {
    long point_size = out.channels * room;
    for (long t = 0; t < count; t++) {
        place at = place_of(tiles, first + t);
        float *corner = y + ((at.image * out.height + at.y) * out.width + at.x) * out.channels;
        long rows = smaller(out.height - at.y, TILE), columns = smaller(out.width - at.x, TILE);
        for (long c = 0; c < out.channels; c += LANES) {
            vec column[6], half[24], row[4], offset = bias ? load(bias + c) : (vec){0};
            const float *from = points + (c / PANEL * room + t) * PANEL + c % PANEL;
            for (int j = 0; j < 6; j++) {
                for (int i = 0; i < 6; i++) column[i] = load(from + (6 * i + j) * point_size);
                output_values(column, 1, half + j, 6);
            }
            for (long i = 0; i < rows; i++) {
                output_values(half + 6 * i, 1, row, 1);
                for (long j = 0; j < columns; j++) store(corner + (i * out.width + j) * out.channels + c, row[j] + offset);
            }
        }
    }
}

typedef struct {
    const float *x, *weights, *bias;
    float *y;
    maps in, out;
    tiling tiles;
    long padding[2], room;
} forward_job;

/* `rows` tiles × 16 filters of one point. */
INLINE void forward_product(int rows, long panels, long room, const float *points, const float *weights, float *to) {
    vec acc[ROWS][VECTORS];
    clear(rows, acc);
    for (long p = 0; p < panels; p++)
        multiply(rows, PANEL, points + p * room * PANEL, PANEL, 1, weights + p * PANEL * PANEL, PANEL, acc);
    store_rows(rows, to, PANEL, acc);
}

static void forward_part(const void *argument, long part, float *scratch) {
    const forward_job *job = argument;
    long room = job->room, first = part * room, count = smaller(job->tiles.count - first, room);
    long inputs = job->in.channels, panels = inputs / PANEL, filters = job->out.channels;
    float *points = scratch, *products = scratch + POINTS * inputs * room;
    transform_input(job->x, job->in, job->tiles, job->padding, first, count, room, points);
    for (long point = 0; point < POINTS; point++)
        for (long k = 0; k < filters; k += PANEL) {
            const float *weights = job->weights + (point * filters + k) * inputs, *from = points + point * inputs * room;
            float *to = products + (point * filters + k) * room;
            long t = 0;
            for (; t + ROWS <= count; t += ROWS)
                forward_product(ROWS, panels, room, from + t * PANEL, weights, to + t * PANEL);
            for (; t + 2 <= count; t += 2) forward_product(2, panels, room, from + t * PANEL, weights, to + t * PANEL);
            for (; t < count; t++) forward_product(1, panels, room, from + t * PANEL, weights, to + t * PANEL);
        }
    transform_output(products, job->bias, job->y, job->out, job->tiles, first, count, room);
}

/* y of x and of weights as winograd_weights gives them; `bias` may be null. `scratch` holds 36 · (in + out channels) · room
   floats for each thread. */
void winograd_forward(const float *x, const float *weights, const float *bias, float *y, const long *in, const long *out,
                      const long *padding, float *scratch, long room, int threads) {
    forward_job job = {.x = x, .weights = weights, .bias = bias, .y = y, .in = maps_of(in), .out = maps_of(out), .room = room};
    job.tiles = tile_maps(job.out);
    memcpy(job.padding, padding, sizeof job.padding);
    share_out(forward_part, &job, (job.tiles.count + room - 1) / room, scratch, POINTS * (in[3] + out[3]) * room, threads);
}

typedef struct { const float *weights; float *points; long inputs, filters; } weights_job;

static void weights_part(const void *argument, long panel, float *scratch) {
    const weights_job *job = argument;
    (void)scratch;
    for (long c = 0; c < job->inputs; c++)
        for (long lane = 0; lane < PANEL; lane += LANES) {
            vec w[9], half[18], row[6];
            const float *from = job->weights + c * job->filters + panel * PANEL + lane;
            for (int i = 0; i < 9; i++) w[i] = load(from + i * job->inputs * job->filters);
            for (int j = 0; j < 3; j++) weight_points(w + j, 3, half + j, 3);
            for (int i = 0; i < 6; i++) {
                weight_points(half + 3 * i, 1, row, 1);
                float *to = job->points + (panel * job->inputs + c) * PANEL + lane;
                for (int j = 0; j < 6; j++) store(to + (6 * i + j) * job->filters * job->inputs, row[j]);
            }
        }
}

/* G w Gᵀ of weights that lie as 3×3×c×k, to 36 · c · k floats. */
void winograd_weights(const float *weights, float *points, long inputs, long filters, int threads) {
    weights_job job = {weights, points, inputs, filters};
    share_out(weights_part, &job, filters / PANEL, NULL, 0, threads);
}

typedef struct {
    const float *x, *g;
    float *sums;
    maps in, out;
    tiling tiles;
    long padding[2], room;
    int parts, lots;
} gradient_job;

/* `rows` channels × 16 filters of one point, added to what is there. */
INLINE void gradient_product(int rows, long count, const float *inputs, const float *gradients, float *sums) {
    vec acc[ROWS][VECTORS];
    load_rows(rows, sums, PANEL, acc);
    multiply(rows, count, inputs, 1, PANEL, gradients, PANEL, acc);
    store_rows(rows, sums, PANEL, acc);
}
/* 16 channels × 16 filters, in as few goes as the registers allow. */
INLINE void gradient_panel(long count, const float *inputs, const float *gradients, float *sums) {
#if ROWS >= 8
    gradient_product(8, count, inputs, gradients, sums);
    gradient_product(8, count, inputs + 8, gradients, sums + 8 * PANEL);
#else
    gradient_product(6, count, inputs, gradients, sums);
    gradient_product(5, count, inputs + 6, gradients, sums + 6 * PANEL);
    gradient_product(5, count, inputs + 11, gradients, sums + 11 * PANEL);
#endif
}

/* A part of the tiles, for a lot of the filters. */
static void gradient_part(const void *argument, long piece, float *scratch) {
    const gradient_job *job = argument;
    long part = piece / job->lots, lot = piece % job->lots;
    long inputs = job->in.channels, filters = job->out.channels, room = job->room, panels = filters / PANEL;
    long start = panels * lot / job->lots * PANEL, end = panels * (lot + 1) / job->lots * PANEL;
    float *points = scratch, *gradients = scratch + POINTS * inputs * room;
    float *sums = job->sums + part * POINTS * inputs * filters;
    for (long point = 0; point < POINTS; point++)
        memset(sums + (point * filters + start) * inputs, 0, sizeof(float) * (end - start) * inputs);
    long blocks = (job->tiles.count + room - 1) / room;
    for (long block = blocks * part / job->parts; block < blocks * (part + 1) / job->parts; block++) {
        long first = block * room, count = smaller(job->tiles.count - first, room);
        transform_input(job->x, job->in, job->tiles, job->padding, first, count, room, points);
        transform_gradient(job->g, job->out, job->tiles, first, count, room, start, end, gradients);
        for (long point = 0; point < POINTS; point++)
            for (long k = start; k < end; k += PANEL)
                for (long c = 0; c < inputs; c += PANEL)
                    gradient_panel(count, points + (point * inputs + c) * room, gradients + (point * filters + k) * room,
                                   sums + (point * filters + k) * inputs + c * PANEL);
    }
}

typedef struct { const float *sums; float *gradient; long inputs, filters; int parts; } values_job;

/* Gᵀ(the sum of all parts)G for one panel of filters. */
static void values_part(const void *argument, long panel, float *scratch) {
    const values_job *job = argument;
    (void)scratch;
    long part_size = POINTS * job->inputs * job->filters;
    for (long c = 0; c < job->inputs; c++)
        for (long lane = 0; lane < PANEL; lane += LANES) {
            vec points[36], half[18], row[3];
            for (int point = 0; point < POINTS; point++) {
                const float *from = job->sums + ((point * job->filters / PANEL + panel) * job->inputs + c) * PANEL + lane;
                points[point] = load(from);
                for (int part = 1; part < job->parts; part++) points[point] += load(from + part * part_size);
            }
            for (int j = 0; j < 6; j++) weight_values(points + j, 6, half + j, 6);
            for (int i = 0; i < 3; i++) {
                weight_values(half + 6 * i, 1, row, 1);
                float *to = job->gradient + c * job->filters + panel * PANEL + lane;
                for (int j = 0; j < 3; j++) store(to + (3 * i + j) * job->inputs * job->filters, row[j]);
            }
        }
}

/* The gradient 3×3×c×k of the weights. The tiles are divided among `parts`, whatever thread does which of them, so that sums
   come out the same each time; `sums` holds 36 · c · k floats for each part. The filters of a part are divided into `lots`.
   `scratch` is as of winograd_forward, for parts · lots threads. */
void winograd_weight_gradient(const float *x, const float *g, float *sums, float *gradient, const long *in, const long *out,
                              const long *padding, float *scratch, long room, int parts, int lots) {
    gradient_job job = {.x = x, .g = g, .sums = sums, .in = maps_of(in), .out = maps_of(out), .room = room};
    job.tiles = tile_maps(job.out), job.parts = parts, job.lots = lots;
    memcpy(job.padding, padding, sizeof job.padding);
    share_out(gradient_part, &job, parts * lots, scratch, POINTS * (in[3] + out[3]) * room, parts * lots);
    values_job back = {sums, gradient, in[3], out[3], parts};
    share_out(values_part, &back, out[3] / PANEL, NULL, 0, parts * lots);
}
