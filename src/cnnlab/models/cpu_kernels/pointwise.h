/* The passes of pointwise.c over maps whose values are of type VALUE, read by READ and written by WRITE. */
typedef struct {
    const VALUE *x, *g;
    const float *scale, *shift, *mean, *slope, *offset;
    VALUE *to;
    double *sums;
    long rows, height, width, channels, out_height, out_width, parts;
    int has_relu, has_pool;
} JOB;

/* The window of the first output of a row, with what is below it and not yet what is on the right. */
INLINE window NAMED(row_start)(const JOB *job, long row) {
    long row_size = job->width * job->channels;
    if (!job->has_pool) return (window){row * row_size, 0, 0};
    long y = 2 * (row % job->out_height), image = row / job->out_height;
    return (window){(image * job->height + y) * row_size, 0, y + 1 < job->height ? row_size : 0};
}
INLINE window NAMED(window_at)(const JOB *job, window start, long column, int size) {
    if (size == 1) return (window){start.first + column * job->channels, 0, 0};
    long right = 2 * column + 1 < job->width ? job->channels : 0;
    return (window){start.first + 2 * column * job->channels, right, start.below};
}

/* z of each place of a window and the largest of them. A place that is not there repeats one before it, and so never exceeds
   it. `size` is 1 or 4, and a constant wherever this is called. */
INLINE values NAMED(values_at)(const VALUE *x, window at, int size, vec scale, vec shift) {
    long distance[4] = {0, at.right, at.below, at.right + at.below};
    values found;
    for (int i = 0; i < size; i++) {
        found.x[i] = READ(x + at.first + distance[i]);
        found.z[i] = scale * found.x[i] + shift;
        found.top = i ? pick(exceeds(found.z[i], found.top), found.z[i], found.top) : found.z[i];
    }
    return found;
}

INLINE void NAMED(forward_row)(const JOB *job, long row, int size, int has_relu) {
    long channels = job->channels;
    window start = NAMED(row_start)(job, row);
    for (long column = 0; column < job->out_width; column++) {
        window at = NAMED(window_at)(job, start, column, size);
        VALUE *to = job->to + (row * job->out_width + column) * channels;
        for (long c = 0; c < channels; c += LANES) {
            vec scale = constant(job->scale, c, 1), shift = constant(job->shift, c, 0);
            values found = NAMED(values_at)(job->x + c, at, size, scale, shift);
            WRITE(to + c, has_relu ? pick_not(found.top <= 0, found.top) : found.top);
        }
    }
}
static void NAMED(forward_part)(const void *argument, long part, float *scratch) {
    const JOB job = *(const JOB *)argument;
    (void)scratch;
    for (long row = part * STRETCH; row < smaller((part + 1) * STRETCH, job.rows); row++) {
        if (job.has_pool && job.has_relu)
            NAMED(forward_row)(&job, row, 4, 1);
        else if (job.has_pool)
            NAMED(forward_row)(&job, row, 4, 0);
        else if (job.has_relu)
            NAMED(forward_row)(&job, row, 1, 1);
        else
            NAMED(forward_row)(&job, row, 1, 0);
    }
}

static JOB NAMED(job_of)(const VALUE *x, const long *in, const long *out, int has_relu, int has_pool, int parts) {
    return (JOB){.x = x, .rows = in[0] * out[1], .height = in[1], .width = in[2], .channels = in[3], .out_height = out[1],
                 .out_width = out[2], .parts = parts, .has_relu = has_relu, .has_pool = has_pool};
}

/* y of x; `scale` and `shift` hold a value a channel, or are null for 1 and 0. */
void NAMED(pointwise_forward)(const VALUE *x, const float *scale, const float *shift, VALUE *y, const long *in, const long *out,
                              int has_relu, int has_pool, int threads) {
    JOB job = NAMED(job_of)(x, in, out, has_relu, has_pool, threads);
    job.scale = scale, job.shift = shift, job.to = y;
    share_out(NAMED(forward_part), &job, (job.rows + STRETCH - 1) / STRETCH, NULL, 0, threads);
}

/* Over this part of the rows. */
static void NAMED(moments_part)(const void *argument, long part, float *scratch) {
    const JOB job = *(const JOB *)argument;
    (void)scratch;
    double *sums = job.sums + part * 2 * job.channels;
    memset(sums, 0, sizeof(double) * 2 * job.channels);
    long last = job.rows * (part + 1) / job.parts;
    for (long first = job.rows * part / job.parts; first < last; first += FEW)
        for (long c = 0; c < job.channels; c += PANEL) {
            vec sum[VECTORS], squares[VECTORS];
            for (int j = 0; j < VECTORS; j++) sum[j] = squares[j] = (vec){0};
            for (long row = first; row < smaller(first + FEW, last); row++)
                for (int j = 0; j < VECTORS; j++) {
                    vec distance = READ(job.x + row * job.channels + c + j * LANES) - load(job.shift + c + j * LANES);
                    sum[j] += distance, squares[j] += distance * distance;
                }
            for (int j = 0; j < VECTORS; j++) {
                add_wide(sums + c + j * LANES, sum[j]);
                add_wide(sums + job.channels + c + j * LANES, squares[j]);
            }
        }
}

/* sums[part][2][channel] of x − shift and of its square. x has `count` rows of a value a channel; a `shift` near their mean
   keeps digits that the squares of x itself would lose. */
void NAMED(channel_moments)(const VALUE *x, const float *shift, double *sums, long count, long channels, int parts) {
    JOB job = {.x = x, .shift = shift, .sums = sums, .rows = count, .channels = channels, .parts = parts};
    share_out(NAMED(moments_part), &job, parts, NULL, 0, parts);
}

/* Adds what the rows from `first` to `last` give. A panel at a time, so that each read takes a whole cache line. */
INLINE void NAMED(gradient_sums_of)(const JOB *job, long first, long last, double *sums, int size, int has_relu) {
    long channels = job->channels;
    for (long c = 0; c < channels; c += PANEL) {
        vec sum[VECTORS], products[VECTORS];
        for (int j = 0; j < VECTORS; j++) sum[j] = products[j] = (vec){0};
        for (long row = first; row < last; row++) {
            const VALUE *g = job->g + row * job->out_width * channels + c;
            window start = NAMED(row_start)(job, row);
            for (long column = 0; column < job->out_width; column++, g += channels)
                for (int j = 0; j < VECTORS; j++) {
                    long k = c + j * LANES;
                    vec to[4], mean = load(job->mean + k), scale = load(job->scale + k), shift = load(job->shift + k);
                    window at = NAMED(window_at)(job, start, column, size);
                    values found = NAMED(values_at)(job->x + k, at, size, scale, shift);
                    arriving(&found, READ(g + j * LANES), size, has_relu, to);
                    for (int i = 0; i < size; i++) sum[j] += to[i], products[j] += to[i] * (found.x[i] - mean);
                }
        }
        for (int j = 0; j < VECTORS; j++) {
            add_wide(sums + c + j * LANES, sum[j]);
            add_wide(sums + channels + c + j * LANES, products[j]);
        }
    }
}
static void NAMED(gradient_sums_part)(const void *argument, long part, float *scratch) {
    const JOB job = *(const JOB *)argument;
    (void)scratch;
    double *sums = job.sums + part * 2 * job.channels;
    memset(sums, 0, sizeof(double) * 2 * job.channels);
    long last = job.rows * (part + 1) / job.parts, few = FEW / job.out_width + 1;
    for (long row = job.rows * part / job.parts; row < last; row += few) {
        long end = smaller(row + few, last);
        if (job.has_pool && job.has_relu)
            NAMED(gradient_sums_of)(&job, row, end, sums, 4, 1);
        else if (job.has_pool)
            NAMED(gradient_sums_of)(&job, row, end, sums, 4, 0);
        else if (job.has_relu)
            NAMED(gradient_sums_of)(&job, row, end, sums, 1, 1);
        else
            NAMED(gradient_sums_of)(&job, row, end, sums, 1, 0);
    }
}

/* sums[part][2][channel]: of the gradient that reaches z, and of that times x − mean. */
void NAMED(pointwise_gradient_sums)(const VALUE *x, const VALUE *g, const float *scale, const float *shift, const float *mean,
                                    double *sums, const long *in, const long *out, int has_relu, int has_pool, int parts) {
    JOB job = NAMED(job_of)(x, in, out, has_relu, has_pool, parts);
    job.g = g, job.scale = scale, job.shift = shift, job.mean = mean, job.sums = sums;
    share_out(NAMED(gradient_sums_part), &job, parts, NULL, 0, parts);
}

INLINE void NAMED(backward_row)(const JOB *job, long row, int size, int has_relu) {
    long channels = job->channels;
    window start = NAMED(row_start)(job, row);
    for (long column = 0; column < job->out_width; column++) {
        window at = NAMED(window_at)(job, start, column, size);
        const VALUE *g = job->g + (row * job->out_width + column) * channels;
        long distance[4] = {0, at.right, at.below, at.right + at.below};
        for (long c = 0; c < channels; c += LANES) {
            vec scale = constant(job->scale, c, 1), to[4];
            values found = NAMED(values_at)(job->x + c, at, size, scale, constant(job->shift, c, 0));
            arriving(&found, READ(g + c), size, has_relu, to);
            vec slope = constant(job->slope, c, 0), mean = constant(job->mean, c, 0), rest = constant(job->offset, c, 0);
            /* From the last to the first: a place that is not there lies on one before it, which is written after it. */
            for (int i = size - 1; i >= 0; i--)
                WRITE(job->to + at.first + distance[i] + c, scale * to[i] + (slope * (found.x[i] - mean) + rest));
        }
    }
}
static void NAMED(backward_part)(const void *argument, long part, float *scratch) {
    const JOB job = *(const JOB *)argument;
    (void)scratch;
    for (long row = part * STRETCH; row < smaller((part + 1) * STRETCH, job.rows); row++) {
        if (job.has_pool && job.has_relu)
            NAMED(backward_row)(&job, row, 4, 1);
        else if (job.has_pool)
            NAMED(backward_row)(&job, row, 4, 0);
        else if (job.has_relu)
            NAMED(backward_row)(&job, row, 1, 1);
        else
            NAMED(backward_row)(&job, row, 1, 0);
    }
}

/* The gradient of x: scale · (that of z) + slope · (x − mean) + offset, the last three null for zero. Places that no window
   takes in, at the edge of a pool that rounds down, are left to the caller. */
void NAMED(pointwise_backward)(const VALUE *x, const VALUE *g, const float *scale, const float *shift, const float *mean,
                               const float *slope, const float *offset, VALUE *to, const long *in, const long *out,
                               int has_relu, int has_pool, int threads) {
    JOB job = NAMED(job_of)(x, in, out, has_relu, has_pool, threads);
    job.g = g, job.scale = scale, job.shift = shift, job.mean = mean, job.to = to;
    job.slope = slope, job.offset = offset;
    share_out(NAMED(backward_part), &job, (job.rows + STRETCH - 1) / STRETCH, NULL, 0, threads);
}
