/* dlib's file of the shipped landmark model, which is read with all that it says in doubt. */
#include "_landmarks.h"
#include <math.h>

#define MAX_REACH 16.0 /* of a place, in sides of the box; what exceeds it is refused */

typedef struct {
    const uint8_t *at, *end;
    int bad; /* once something was wrong, all that is read is 0 */
} File;

/* A byte with the sign (its highest bit) and the number of bytes that follow, the lowest first. */
static int64_t integer(File *file, int64_t least, int64_t most) {
    int head = !file->bad && file->at < file->end ? *file->at++ : 0, size = head & 0x0F;
    int64_t value = 0;
    if (size < 1 || size > 7 || (head & 0x70) || file->end - file->at < size) {
        file->bad = 1;
        return 0;
    }
    for (int i = 0; i < size; i++)
        value |= (int64_t)file->at[i] << (8 * i);
    file->at += size;
    value = head & 0x80 ? -value : value;
    file->bad = value < least || value > most;
    return file->bad ? 0 : value;
}

/* Mantissa and exponent. */
static double real(File *file, double limit) {
    double mantissa = (double)integer(file, -(1LL << 53), 1LL << 53);
    double value = ldexp(mantissa, (int)integer(file, -1000, 1000));
    file->bad |= !(fabs(value) <= limit);
    return file->bad ? 0 : value;
}

/* A shape is a matrix of one column, whose rows and columns are stored as negative numbers. */
static void begin_shape(File *file) {
    integer(file, -VALUES, -VALUES);
    integer(file, -1, -1);
}

static void read_tree(File *file, int32_t splits[LEAVES], int16_t leaves[LEAVES][VALUES]) {
    integer(file, SPLITS, SPLITS);
    for (int i = 0; i < SPLITS; i++) {
        int32_t pixels = (int32_t)integer(file, 0, PIXELS - 1);
        pixels += (int32_t)integer(file, 0, PIXELS - 1) << 10;
        /* Levels are whole numbers: they exceed a threshold if they exceed the whole number below it. */
        splits[i] = (int32_t)floor(real(file, 2047)) * (1 << 20) + pixels;
    }
    integer(file, LEAVES, LEAVES);
    for (int leaf = 0; leaf < LEAVES; leaf++) {
        begin_shape(file);
        for (int i = 0; i < VALUES; i++) {
            double value = ldexp(real(file, MAX_REACH), LEAF_BITS);
            file->bad |= value != floor(value) || value < INT16_MIN || value > INT16_MAX;
            leaves[leaf][i] = file->bad ? 0 : (int16_t)value;
        }
    }
}

void centre(const float *shape, double *centred) {
    double middle[2] = {0, 0};
    for (int i = 0; i < VALUES; i++)
        middle[i % 2] += shape[i] / POINTS;
    for (int i = 0; i < VALUES; i++)
        centred[i] = shape[i] - middle[i % 2];
}

int read_model(const uint8_t *bytes, size_t count, Model *model) {
    File opened = {bytes, bytes + count, 0}, *file = &opened;
    integer(file, 1, 1); /* version */
    begin_shape(file);
    for (int i = 0; i < VALUES; i++)
        model->mean[i] = (float)real(file, MAX_REACH);
    integer(file, STAGES, STAGES);
    for (int stage = 0; stage < STAGES; stage++) {
        integer(file, TREES, TREES);
        for (int tree = 0; tree < TREES && !file->bad; tree++)
            read_tree(file, model->splits[stage][tree], model->leaves[stage][tree]);
    }
    integer(file, STAGES, STAGES);
    for (int stage = 0; stage < STAGES; stage++) {
        integer(file, PIXELS, PIXELS);
        for (int i = 0; i < PIXELS; i++)
            model->anchors[stage][i] = (uint8_t)integer(file, 0, POINTS - 1);
    }
    integer(file, STAGES, STAGES);
    for (int stage = 0; stage < STAGES; stage++) {
        integer(file, PIXELS, PIXELS);
        for (int i = 0; i < 2 * PIXELS; i++) {
            float delta = (float)real(file, MAX_REACH);
            model->deltas[stage][i % 2][i / 2] = delta;
            model->reach = fmaxf(model->reach, fabsf(delta));
        }
    }
    centre(model->mean, model->centred);
    for (int i = 0; i < VALUES; i++)
        model->spread += model->centred[i] * model->centred[i];
    return !file->bad && file->at == file->end && model->spread > 0;
}
