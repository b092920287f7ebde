/* What the three parts of the compiled landmark model share. */
#ifndef BEAM_LANDMARKS_H
#define BEAM_LANDMARKS_H
#include <stddef.h>
#include <stdint.h>

/* The shape of the shipped model; another is dlib's business. */
#define STAGES 15
#define TREES 350 /* of a stage */
#define PIXELS 800 /* that a stage compares */
#define POINTS 5
#define VALUES (2 * POINTS) /* of a shape: x and y of each point in turn */
#define DEPTH 4 /* of a tree */
#define LEAVES (1 << DEPTH)
#define SPLITS (LEAVES - 1)
#define LEAF_BITS 18 /* leaves are whole multiples of 2^-18 of the box's side: benchmarks/prune_landmarks.py */

typedef struct {
    int32_t splits[STAGES][TREES][LEAVES]; /* threshold (12 bits), pixel, pixel (10 each); a tree's last is unused */
    int16_t leaves[STAGES][TREES][LEAVES][VALUES];
    float deltas[STAGES][2][PIXELS]; /* x and y from its point, in the mean shape */
    uint8_t anchors[STAGES][PIXELS]; /* its point */
    float mean[VALUES], reach; /* of the deltas */
    double centred[VALUES], spread; /* of the mean shape */
    void *memory; /* that this is in */
} Model;

/* Fill a model, all zeros before, from dlib's file. 0 if that is no such model, or holds anything else. */
int read_model(const uint8_t *file, size_t bytes, Model *model);

/* Deviations of a shape from its centroid. */
void centre(const float *shape, double *centred);

/* A column or row of a picture that is enlarged: the two of the picture's own between which it lies, and their weights in
 * 2048ths. Of columns the numbers are places in a row, of rows bytes from the first. */
typedef struct {
    int32_t first, last;
    int16_t near, far;
} Blend;

/* One of a picture that is reduced: the run that it is the mean of, and the weight of its first, its last and the rest. */
typedef struct {
    int32_t first, last;
    float head, tail, middle;
} Run;

/* A picture at the size at which the model looks at it. Only the pixels that are asked for are ever made. Before
 * and after its columns and rows is one more of each, which has no weight: what lies outside. */
typedef struct {
    const uint8_t *pixels; /* grey, to be enlarged, or RGB, to be reduced */
    ptrdiff_t row_bytes;
    int width, height; /* at that size */
    Blend *columns, *rows; /* of a picture to be enlarged, else NULL */
    Run *wide, *high; /* of one to be reduced */
} Picture;

/* Fill `count` columns or rows; there are `of` in the picture, each `apart` from the one before. */
void enlarge(Blend *lines, int count, int of, int apart, int are_rows);
void reduce(Run *lines, int count, int of);

/* Levels of grey at some places. */
void levels_at(const Picture *picture, const int32_t *columns, const int32_t *rows, int count, uint8_t *levels);

#endif
