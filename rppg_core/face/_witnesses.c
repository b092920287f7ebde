/* The witnesses of a frame, as `witnesses.py` describes and OpenCV computes them, in one go over each part of the picture.
 *
 * Sums of levels are whole numbers, so they are the same however they are added up, and what is made of them is made in the
 * same order: witnesses are those of OpenCV to the last digit.
 */
#define Py_LIMITED_API 0x030B0000 /* 3.11, the first with buffers in the stable ABI */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define COLOURS 3
#define PATCHES 4 /* beside the head, above it and below */
#define MOST_SIDE 80 /* of a part, in pixels; 16 bits hold the sum of 257 rows */
#define LEAST_SIDE 6
#define FLOOR 0.05 /* levels of detail that a flat picture is granted */
#define MOST_PLACE 1e6 /* pixels from the picture's corner, and of a face's size */

/* Of a part of the picture, if there is one. */
typedef struct {
    int there;
    double mean[COLOURS];
    int64_t bytes; /* of all rows but the first and the last, as are the next two */
    int64_t distance, squares; /* sums of how far a row is from what lies between those beside it */
} Part;

/* Middle and half sides in the canonical frame, and sides in pixels at most. */
typedef struct {
    double middle[2], half[2];
    int most[2];
} Box;

static const Box FACE = {{0.0, 0.45}, {1.0, 1.0}, {80, 80}};
static const Box AROUND[PATCHES] = {
    {{-2.25, 0.0}, {0.5, 1.2}, {32, 80}},
    {{2.25, 0.0}, {0.5, 1.2}, {32, 80}},
    {{0.0, -1.75}, {0.9, 0.3}, {32, 32}},
    {{-1.6, 2.6}, {0.5, 0.4}, {32, 32}},
};
static const int CENTRE[2] = {48, 48};

typedef struct {
    const uint8_t *pixels;
    Py_ssize_t row_bytes;
    int sides[2];
} Picture;

static void add_colours(const uint8_t *part, Py_ssize_t row_bytes, int rows, int bytes, Part *found) {
    uint16_t columns[MOST_SIDE * COLOURS] = {0};
    int64_t sums[COLOURS] = {0, 0, 0};
    for (int y = 0; y < rows; y++)
        for (int i = 0; i < bytes; i++)
            columns[i] = (uint16_t)(columns[i] + part[y * row_bytes + i]);
    for (int i = 0; i < bytes; i++)
        sums[i % COLOURS] += columns[i];
    for (int i = 0; i < COLOURS; i++)
        found->mean[i] = (double)sums[i] / (rows * (bytes / COLOURS));
}

static void add_row(const uint8_t *row, Py_ssize_t row_bytes, int bytes, Part *found) {
    const uint8_t *above = row - row_bytes, *below = row + row_bytes;
    uint8_t between[MOST_SIDE * COLOURS];
    int32_t distance = 0, squares = 0;
    for (int i = 0; i < bytes; i++) { /* the mean of both; a half is rounded to the even number */
        uint8_t unlike = above[i] ^ below[i], mean = (uint8_t)((above[i] & below[i]) + (unlike >> 1));
        between[i] = (uint8_t)(mean + (unlike & mean & 1));
    }
    for (int i = 0; i < bytes; i++) {
        int16_t difference = (int16_t)(row[i] - between[i]);
        squares += difference * difference;
    }
    for (int i = 0; i < bytes; i++)
        distance += row[i] < between[i] ? between[i] - row[i] : row[i] - between[i];
    found->distance += distance;
    found->squares += squares;
}

static int within(double value, int most) {
    return value < 0 ? 0 : value > most ? most : (int)value;
}

/* What a box has in the picture, by whole pixels: its middle and its sides, and the most that these may be. */
static Part look(const Picture *picture, const double *middle, const double *sides, const int *most, int detailed) {
    Part found = {.there = 0};
    int from[2], to[2];
    for (int i = 0; i < 2; i++) {
        double side = fmin(rint(sides[i]), most[i]), begin = rint(middle[i] - side / 2);
        from[i] = within(begin, picture->sides[i]);
        to[i] = within(begin + side, picture->sides[i]);
        if (to[i] - from[i] < LEAST_SIDE || to[i] - from[i] > MOST_SIDE)
            return found;
    }
    const uint8_t *part = picture->pixels + from[1] * picture->row_bytes + from[0] * COLOURS;
    int rows = to[1] - from[1], bytes = (to[0] - from[0]) * COLOURS;
    found.there = 1;
    add_colours(part, picture->row_bytes, rows, bytes, &found);
    for (int y = 1; detailed && y < rows - 1; y++)
        add_row(part + y * picture->row_bytes, picture->row_bytes, bytes, &found);
    found.bytes = (int64_t)(rows - 2) * bytes;
    return found;
}

/* A box of the canonical frame around a face, rolled by whole quarters. */
static Part look_beside(const Picture *picture, const Box *box, const double *place, int quarters, int detailed) {
    Box turned = *box;
    for (int i = 0; i < quarters; i++) {
        Box before = turned;
        turned = (Box){{-before.middle[1], before.middle[0]}, {before.half[1], before.half[0]},
                       {before.most[1], before.most[0]}};
    }
    double size = place[2], middle[2], sides[2];
    for (int i = 0; i < 2; i++) {
        middle[i] = place[i] + turned.middle[i] * size;
        sides[i] = 2 * turned.half[i] * size;
    }
    return look(picture, middle, sides, turned.most, detailed);
}

static double brightness(const Part *part) {
    return (part->mean[0] + part->mean[1] + part->mean[2]) / 3;
}

/* Detail and edges over some parts. */
static void add_detail(const Part *parts, int count, float *seen) {
    double bytes = 0, distance = 0, squares = 0, light = 0;
    for (int i = 0; i < count; i++) {
        if (!parts[i].there)
            continue;
        bytes += (double)parts[i].bytes;
        distance += (double)parts[i].distance;
        squares += (double)parts[i].squares;
        light += brightness(parts + i) * (double)parts[i].bytes;
    }
    double level = light / bytes + 1;
    seen[0] = bytes > 0 ? (float)log((distance / bytes + FLOOR) / level) : NAN;
    seen[1] = bytes > 0 ? (float)log((sqrt(squares / bytes) + FLOOR) / level) : NAN;
}

#define SEEN (6 + PATCHES * COLOURS)

/* In the order of `WITNESSES`. `place` is the face's x, y and size in pixels. */
static void see(const Picture *picture, const double *place, int quarters, float *seen) {
    double sides[2] = {picture->sides[0], picture->sides[1]}, middle[2] = {sides[0] / 2, sides[1] / 2};
    Part face = look_beside(picture, &FACE, place, quarters, 1), patches[PATCHES];
    Part centre = look(picture, middle, sides, CENTRE, 1);
    float details[2];
    for (int i = 0; i < PATCHES; i++)
        patches[i] = look_beside(picture, AROUND + i, place, quarters, i < 2);
    add_detail(&face, 1, seen);
    add_detail(patches, 2, seen + 2);
    add_detail(&centre, 1, details);
    seen[4] = details[0];
    seen[5] = centre.there ? (float)brightness(&centre) : NAN;
    for (int i = 0; i < PATCHES * COLOURS; i++)
        seen[6 + i] = patches[i / COLOURS].there ? (float)patches[i / COLOURS].mean[i % COLOURS] : NAN;
}

static int is_picture(const Py_buffer *image) {
    return image->ndim == 3 && image->itemsize == 1 && image->shape[2] == COLOURS && image->strides[2] == 1 &&
           image->strides[1] == COLOURS && image->shape[0] <= MOST_PLACE && image->shape[1] <= MOST_PLACE;
}

static PyObject *py_see(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *of, *found = NULL;
    Py_buffer image;
    double place[3];
    int quarters;
    float seen[SEEN];

    if (!PyArg_ParseTuple(args, "O(ddd)i", &of, place, place + 1, place + 2, &quarters))
        return NULL;
    if (PyObject_GetBuffer(of, &image, PyBUF_STRIDED_RO) < 0)
        return NULL;
    int near = place[2] >= 0 && place[2] <= MOST_PLACE && fabs(place[0]) <= MOST_PLACE && fabs(place[1]) <= MOST_PLACE;
    if (is_picture(&image) && near) {
        Picture picture = {image.buf, image.strides[0], {(int)image.shape[1], (int)image.shape[0]}};
        see(&picture, place, quarters & 3, seen);
        found = PyBytes_FromStringAndSize((const char *)seen, sizeof seen);
    } else {
        PyErr_SetString(PyExc_ValueError, "the picture is not RGB, or the face too far away");
    }
    PyBuffer_Release(&image);
    return found;
}

static PyMethodDef methods[] = {
    {"see", py_see, METH_VARARGS, "Witnesses as bytes of float32, by (RGB picture, (x, y, size) of the face, quarters)."},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_witnesses", "The witnesses of a frame.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__witnesses(void) {
    return PyModuleDef_Init(&definition);
}
