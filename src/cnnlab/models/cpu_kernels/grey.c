/* Convolutions of grey images, with which networks begin: loops over input channels have one here, and fill no vector with it.
   What the kernel sees of the image for each of some neighbouring outputs, its patch, is written out as a row, and the matrix
   [output][patch] multiplied by the weights [patch][k]. Images lie as N×H×W, maps as N×H×W×K. */
#include "kernels.h"

/* Outputs at a time: a multiple of ROWS, be it 14 or 6. Python makes scratch for as many. */
#define OUTPUTS 84

typedef struct {
    const float *x, *weights, *bias;
    void *y;
    const void *g;
    float *sums;
    maps in, out;
    long kernel[2], stride[2], padding[2];
    int parts, in_bfloat16;
} grey_job;

INLINE long patch_size(const grey_job *job) { return job->kernel[0] * job->kernel[1]; }
INLINE long outputs_of(const grey_job *job) { return job->out.n * job->out.height * job->out.width; }

/* [output][patch] of `count` outputs from `first` on; what lies outside an image is zero. */
static void write_patches(const grey_job *job, long first, long count, float *to) {
    maps in = job->in;
    long row = job->kernel[1];
    for (long i = first; i < first + count; i++) {
        long x = i % job->out.width, y = i / job->out.width % job->out.height, n = i / job->out.width / job->out.height;
        long top = y * job->stride[0] - job->padding[0], left = x * job->stride[1] - job->padding[1];
        for (long v = top; v < top + job->kernel[0]; v++, to += row) {
            const float *line = job->x + (n * in.height + v) * in.width;
            if (v < 0 || v >= in.height)
                for (long j = 0; j < row; j++) to[j] = 0;
            else if (left >= 0 && left + row <= in.width)
                for (long j = 0; j < row; j++) to[j] = line[left + j];
            else
                for (long j = 0; j < row; j++) to[j] = left + j < 0 || left + j >= in.width ? 0 : line[left + j];
        }
    }
}

/* `rows` outputs × 16 filters, written from y[at] on. */
INLINE void forward_rows(int rows, long depth, const float *patches, const float *weights, const float *bias, long filters,
                         void *y, long at, int in_bfloat16) {
    vec acc[ROWS][VECTORS];
    if (bias)
        load_rows(rows, bias, 0, acc);
    else
        clear(rows, acc);
    multiply(rows, depth, patches, depth, 1, weights, filters, acc);
    if (!in_bfloat16)
        store_rows(rows, (float *)y + at, filters, acc);
    else
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < VECTORS; j++) store_bfloat16((bfloat16 *)y + at + i * filters + j * LANES, acc[i][j]);
}

static void forward_part(const void *argument, long part, float *scratch) {
    const grey_job *job = argument;
    long first = part * OUTPUTS, filters = job->out.channels, depth = patch_size(job);
    long count = smaller(outputs_of(job) - first, OUTPUTS);
    write_patches(job, first, count, scratch);
    for (long k = 0; k < filters; k += PANEL) {
        const float *weights = job->weights + k, *bias = job->bias ? job->bias + k : NULL;
        long i = 0, at = first * filters + k;
        for (; i + ROWS <= count; i += ROWS)
            forward_rows(ROWS, depth, scratch + i * depth, weights, bias, filters, job->y, at + i * filters, job->in_bfloat16);
        for (; i < count; i++)
            forward_rows(1, depth, scratch + i * depth, weights, bias, filters, job->y, at + i * filters, job->in_bfloat16);
    }
}

/* `rows` places of the patch × 16 filters: the sum over the outputs, added to what is there. */
INLINE void gradient_rows(int rows, long count, long depth, const float *patches, const float *g, long filters, float *sums) {
    vec acc[ROWS][VECTORS];
    load_rows(rows, sums, filters, acc);
    multiply(rows, count, patches, 1, depth, g, PANEL, acc);
    store_rows(rows, sums, filters, acc);
}

static void gradient_part(const void *argument, long part, float *scratch) {
    const grey_job *job = argument;
    long filters = job->out.channels, depth = patch_size(job);
    float *sums = job->sums + part * depth * filters;
    memset(sums, 0, sizeof(float) * depth * filters);
    long blocks = (outputs_of(job) + OUTPUTS - 1) / OUTPUTS;
    for (long block = blocks * part / job->parts; block < blocks * (part + 1) / job->parts; block++) {
        long first = block * OUTPUTS, count = smaller(outputs_of(job) - first, OUTPUTS);
        write_patches(job, first, count, scratch);
        for (long k = 0; k < filters; k += PANEL) {
            /* The gradient of this panel alone, in float32: it is read as often as the patch has rows of places. */
            float *g = scratch + OUTPUTS * depth, *to = sums + k;
            for (long i = 0; i < count; i++)
                for (int j = 0; j < VECTORS; j++) {
                    long at = (first + i) * filters + k + j * LANES;
                    const float *value = (const float *)job->g + at;
                    const bfloat16 *half = (const bfloat16 *)job->g + at;
                    store(g + i * PANEL + j * LANES, job->in_bfloat16 ? load_bfloat16(half) : load(value));
                }
            long i = 0;
            for (; i + ROWS <= depth; i += ROWS) gradient_rows(ROWS, count, depth, scratch + i, g, filters, to + i * filters);
#if ROWS > 9
            /* The commonest kernel, 3×3, at once. */
            for (; i + 9 <= depth; i += 9) gradient_rows(9, count, depth, scratch + i, g, filters, to + i * filters);
#endif
            for (; i + 3 <= depth; i += 3) gradient_rows(3, count, depth, scratch + i, g, filters, to + i * filters);
            for (; i < depth; i++) gradient_rows(1, count, depth, scratch + i, g, filters, to + i * filters);
        }
    }
}

static grey_job job_of(const float *x, const long *in, const long *out, const long *window) {
    grey_job job = {.x = x, .in = maps_of(in), .out = maps_of(out)};
    memcpy(job.kernel, window, sizeof job.kernel);
    memcpy(job.stride, window + 2, sizeof job.stride);
    memcpy(job.padding, window + 4, sizeof job.padding);
    return job;
}

/* y of x and of weights that lie as [patch][k]; y is in float32 or in bfloat16, `bias` may be null. `window` is the kernel's
   size, stride and padding, two each; `scratch` holds a patch for each of 84 outputs, for each thread. */
void grey_forward(const float *x, const float *weights, const float *bias, void *y, const long *in, const long *out,
                  const long *window, float *scratch, int in_bfloat16, int threads) {
    grey_job job = job_of(x, in, out, window);
    job.weights = weights, job.bias = bias, job.y = y, job.in_bfloat16 = in_bfloat16;
    long blocks = (outputs_of(&job) + OUTPUTS - 1) / OUTPUTS;
    share_out(forward_part, &job, blocks, scratch, OUTPUTS * patch_size(&job), threads);
}

/* The gradient [part][patch][k] of the weights, to be summed over the parts. The outputs are divided among these, whatever
   thread does which, so that sums come out the same each time. `scratch` holds a patch and 16 floats for each of 84 outputs,
   for each part. */
void grey_weight_gradient(const float *x, const void *g, float *sums, const long *in, const long *out, const long *window,
                          float *scratch, int in_bfloat16, int parts) {
    grey_job job = job_of(x, in, out, window);
    job.g = g, job.sums = sums, job.parts = parts, job.in_bfloat16 = in_bfloat16;
    share_out(gradient_part, &job, parts, scratch, OUTPUTS * (patch_size(&job) + PANEL), parts);
}
