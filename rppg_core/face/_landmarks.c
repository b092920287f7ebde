/* The shipped landmark model, evaluated from 2 MB that lie in the order in which they are read.
 *
 * dlib keeps each of the 84,000 leaves of the trees in an allocation of its own, so most of a prediction waits for
 * memory. Here a tree's splits fill one line of the cache, leaves are the 16-bit integers that they were rounded to,
 * and all that a stage adds up are asked for before the first one is needed. Landmarks are dlib's to the pixel: the
 * same sums of the same numbers, in the same order and precision.
 *
 * V. Kazemi and J. Sullivan, "One millisecond face alignment with an ensemble of regression trees", CVPR 2014,
 * doi:10.1109/CVPR.2014.241.
 */
#define Py_LIMITED_API 0x030B0000 /* 3.11, the first with buffers in the stable ABI */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

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

#define MAX_REACH 16.0 /* of a place, in sides of the box; what exceeds it is refused */
#define MAX_PLACE 1000000 /* of the box, in pixels */
#define LINE 64 /* bytes that the cache fetches together */

typedef struct {
    int32_t splits[STAGES][TREES][LEAVES]; /* threshold (12 bits), pixel, pixel (10 each); a tree's last is unused */
    int16_t leaves[STAGES][TREES][LEAVES][VALUES];
    float deltas[STAGES][PIXELS][2]; /* from its point, in the mean shape */
    uint8_t anchors[STAGES][PIXELS]; /* its point */
    float mean[VALUES];
    double centred[VALUES], spread; /* of the mean shape */
    void *memory; /* that this is in */
} Model;

/* ---- dlib's file ---- */

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

/* Deviations from the centroid. */
static void centre(const float *shape, double *centred) {
    double middle[2] = {0, 0};
    for (int i = 0; i < VALUES; i++)
        middle[i % 2] += shape[i] / POINTS;
    for (int i = 0; i < VALUES; i++)
        centred[i] = shape[i] - middle[i % 2];
}

/* Whether the file is such a model, and nothing else. */
static int read_model(File *file, Model *model) {
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
        for (int i = 0; i < 2 * PIXELS; i++)
            model->deltas[stage][i / 2][i % 2] = (float)real(file, MAX_REACH);
    }
    centre(model->mean, model->centred);
    for (int i = 0; i < VALUES; i++)
        model->spread += model->centred[i] * model->centred[i];
    return !file->bad && file->at == file->end && model->spread > 0;
}

/* ---- A prediction ---- */

typedef struct {
    const uint8_t *levels;
    double width, height;
    double x[3], y[3]; /* of a place in the box, from its x and y in sides of the box: two factors and a constant */
} View;

/* The way from the box to pixels, as dlib takes it: by the inverse of a matrix. That matrix is always the same, and the
 * last bits of its inverse decide where a place goes that lies just between two pixels. */
static void place_box(View *view, double left, double top, double side) {
    static const double inverse[3][3] = {
        {-0x1.0000000000001p+0, -0x1p-52, 0x1.0000000000001p+0},
        {0x1.ffffffffffffdp-1, -0x1.ffffffffffffbp-1, 0x1.8p-53},
        {0, 0x1.0000000000001p+0, 0x1.8p-54},
    };
    double right = left + side, bottom = top + side;

    for (int i = 0; i < 3; i++) {
        view->x[i] = left * inverse[0][i] + right * inverse[1][i] + right * inverse[2][i];
        view->y[i] = top * inverse[0][i] + top * inverse[1][i] + bottom * inverse[2][i];
    }
}

/* Levels of the pixels that a stage compares; 0 outside the picture. */
static void look(const Model *model, int stage, const View *view, const float *shape, uint8_t *levels) {
    double to[VALUES], along = 0, aside = 0; /* the similarity from the mean shape, by least squares */

    centre(shape, to);
    for (int i = 0; i < VALUES; i += 2) {
        along += model->centred[i] * to[i] + model->centred[i + 1] * to[i + 1];
        aside += model->centred[i] * to[i + 1] - model->centred[i + 1] * to[i];
    }
    float cosine = (float)(along / model->spread), sine = (float)(aside / model->spread); /* times the scale */
    for (int i = 0; i < PIXELS; i++) {
        const float *delta = model->deltas[stage][i], *anchor = shape + 2 * model->anchors[stage][i];
        float across = cosine * delta[0] - sine * delta[1] + anchor[0];
        float down = sine * delta[0] + cosine * delta[1] + anchor[1];
        double x = view->x[0] * across + view->x[1] * down + view->x[2] + 0.5;
        double y = view->y[0] * across + view->y[1] * down + view->y[2] + 0.5;
        int inside = x >= 0 && y >= 0 && x < view->width && y < view->height;
        levels[i] = inside ? view->levels[(size_t)y * (size_t)view->width + (size_t)x] : 0;
    }
}

/* Each tree of a stage moves the shape: ask for all leaves first, then add them in dlib's order. */
static void move(const Model *model, int stage, const uint8_t *levels, float *shape) {
    const int16_t *leaves[TREES];
    float moved[VALUES];
    for (int tree = 0; tree < TREES; tree++) {
        const int32_t *splits = model->splits[stage][tree];
        int node = 0;
        for (int level = 0; level < DEPTH; level++) {
            int32_t split = splits[node];
            node = 2 * node + 1 + (levels[split & 1023] - levels[split >> 10 & 1023] <= split >> 20);
        }
        leaves[tree] = model->leaves[stage][tree][node - SPLITS];
        __builtin_prefetch(leaves[tree]);
        __builtin_prefetch(leaves[tree] + VALUES - 1); /* it may lie in two lines */
    }
    memcpy(moved, shape, sizeof moved);
    for (int tree = 0; tree < TREES; tree++)
        for (int i = 0; i < VALUES; i++)
            moved[i] += (float)leaves[tree][i] * (1.0f / (1 << LEAF_BITS));
    memcpy(shape, moved, sizeof moved);
}

/* Landmarks in whole pixels. */
static void predict(const Model *model, const View *view, long *found) {
    uint8_t levels[PIXELS];
    float shape[VALUES];
    memcpy(shape, model->mean, sizeof shape);
    for (int stage = 0; stage < STAGES; stage++) {
        look(model, stage, view, shape, levels);
        move(model, stage, levels, shape);
    }
    for (int i = 0; i < VALUES; i += 2) {
        found[i] = (long)floor(view->x[0] * shape[i] + view->x[1] * shape[i + 1] + view->x[2] + 0.5);
        found[i + 1] = (long)floor(view->y[0] * shape[i] + view->y[1] * shape[i + 1] + view->y[2] + 0.5);
    }
}

/* ---- For Python ---- */

#define CAPSULE "rppg_core.face._landmarks.model"

static void drop(PyObject *capsule) {
    PyMem_Free(((Model *)PyCapsule_GetPointer(capsule, CAPSULE))->memory);
}

static PyObject *py_load(PyObject *Py_UNUSED(module), PyObject *args) {
    Py_buffer bytes;
    if (!PyArg_ParseTuple(args, "y*", &bytes))
        return NULL;
    void *memory = PyMem_Calloc(1, sizeof(Model) + LINE);
    Model *model = (Model *)(((uintptr_t)memory + LINE - 1) / LINE * LINE); /* so that a tree's splits are one line */
    File file = {bytes.buf, (const uint8_t *)bytes.buf + bytes.len, 0};
    PyObject *capsule = NULL;
    if (memory == NULL) {
        PyErr_NoMemory();
    } else if (read_model(&file, model)) {
        model->memory = memory;
        capsule = PyCapsule_New(model, CAPSULE, drop);
    } else {
        PyErr_SetString(PyExc_ValueError, "not a model of the shipped one's shape");
    }
    if (capsule == NULL)
        PyMem_Free(memory);
    PyBuffer_Release(&bytes);
    return capsule;
}

static PyObject *py_predict(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *capsule, *picture;
    Py_buffer grey;
    int left, top, side;
    long p[VALUES];

    if (!PyArg_ParseTuple(args, "OO(ii)i", &capsule, &picture, &left, &top, &side))
        return NULL;
    const Model *model = PyCapsule_GetPointer(capsule, CAPSULE);
    if (model == NULL)
        return NULL;
    if (left < -MAX_PLACE || left > MAX_PLACE || top < -MAX_PLACE || top > MAX_PLACE || side < 1 || side > MAX_PLACE)
        return PyErr_Format(PyExc_ValueError, "the box is too far away, or of no size that one has");
    if (PyObject_GetBuffer(picture, &grey, PyBUF_C_CONTIGUOUS) < 0)
        return NULL;
    if (grey.ndim != 2 || grey.itemsize != 1) {
        PyBuffer_Release(&grey);
        return PyErr_Format(PyExc_ValueError, "the picture is not grey, or has more than a byte for a pixel");
    }
    View view = {.levels = grey.buf, .width = (double)grey.shape[1], .height = (double)grey.shape[0]};
    place_box(&view, left, top, side);
    Py_BEGIN_ALLOW_THREADS
    predict(model, &view, p);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&grey);
    return Py_BuildValue("[(ll)(ll)(ll)(ll)(ll)]", p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9]);
}

static PyMethodDef methods[] = {
    {"load", py_load, METH_VARARGS, "The model in the bytes of a file of dlib's. ValueError if it is another kind."},
    {"predict", py_predict, METH_VARARGS, "Landmarks by (model, grey picture, (left, top) of a square box, its side)."},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_landmarks", "The shipped landmark model.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__landmarks(void) {
    return PyModuleDef_Init(&definition);
}
