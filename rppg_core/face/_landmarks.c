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

#include "_landmarks.h"
#include <math.h>
#include <string.h>

#define TOGETHER 5 /* trees that are gone through side by side; a part of TREES */
#define MAX_PLACE 1000000 /* of the box and the size of a picture, in pixels */
#define MAX_SHOWN 4096 /* of the size at which the model looks at it */
#define LINE_BYTES 64 /* that the cache fetches together */

typedef struct {
    const Picture *picture;
    float left, top, side; /* of the box */
    double x[3], y[3]; /* of a place in it, from its x and y in sides of the box: two factors and a constant */
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

/* The similarity from the mean shape, by least squares: cosine and sine, times the scale. */
static void fit(const Model *model, const float *shape, float *cosine, float *sine) {
    double to[VALUES], along = 0, aside = 0;
    centre(shape, to);
    for (int i = 0; i < VALUES; i += 2) {
        along += model->centred[i] * to[i] + model->centred[i + 1] * to[i + 1];
        aside += model->centred[i] * to[i + 1] - model->centred[i + 1] * to[i];
    }
    *cosine = (float)(along / model->spread);
    *sine = (float)(aside / model->spread);
}

/* Column and row, from 1, of a place in the box, as dlib finds them; 0 outside the picture. */
static void find(const View *view, float across, float down, int32_t *column, int32_t *row) {
    double x = view->x[0] * across + view->x[1] * down + view->x[2] + 0.5;
    double y = view->y[0] * across + view->y[1] * down + view->y[2] + 0.5;
    *column = x >= 0 && x < view->picture->width ? (int32_t)x + 1 : 0;
    *row = y >= 0 && y < view->picture->height ? (int32_t)y + 1 : 0;
}

/* Levels of the pixels that a stage compares; 0 outside the picture. */
static void look(const Model *model, int stage, const View *view, const float *shape, uint8_t *levels) {
    const float *right = model->deltas[stage][0], *below = model->deltas[stage][1];
    const float width = (float)view->picture->width, height = (float)view->picture->height;
    float cosine, sine, farthest = 0, anchors[PIXELS][2], from_edge[PIXELS];
    int32_t columns[PIXELS], rows[PIXELS];

    fit(model, shape, &cosine, &sine);
    for (int i = 0; i < VALUES; i++)
        farthest = fmaxf(farthest, fabsf(shape[i]));
    for (int i = 0; i < PIXELS; i++)
        memcpy(anchors[i], shape + 2 * model->anchors[stage][i], sizeof anchors[i]);
    /* First in a short way, for several at once: a place is sure that is farther from a pixel's edge than twice what
     * single precision can be wrong by, here and in dlib's way. */
    float reach = (fabsf(cosine) + fabsf(sine)) * model->reach + farthest;
    float doubt = 1e-6f * (view->side * reach + fabsf(view->left) + fabsf(view->top) + width + height);
    for (int i = 0; i < PIXELS; i++) {
        float x = view->side * (cosine * right[i] - sine * below[i] + anchors[i][0]) + view->left + 1.5f;
        float y = view->side * (sine * right[i] + cosine * below[i] + anchors[i][1]) + view->top + 1.5f;
        x = x > 0 ? x : 0;
        y = y > 0 ? y : 0;
        x = x < width + 1 ? x : width + 1;
        y = y < height + 1 ? y : height + 1;
        columns[i] = (int32_t)x;
        rows[i] = (int32_t)y;
        float beyond = x - (float)columns[i], under = y - (float)rows[i];
        float aside = 0.5f - fabsf(beyond - 0.5f), above = 0.5f - fabsf(under - 0.5f);
        from_edge[i] = aside < above ? aside : above;
    }
    for (int i = 0; i < PIXELS; i++)
        if (!(from_edge[i] > doubt))
            find(view, cosine * right[i] - sine * below[i] + anchors[i][0],
                 sine * right[i] + cosine * below[i] + anchors[i][1], columns + i, rows + i);
    levels_at(view->picture, columns, rows, PIXELS, levels);
}

/* Each tree of a stage moves the shape: ask for all leaves first, then add them in dlib's order. */
static void move(const Model *model, int stage, const uint8_t *levels, float *shape) {
    const int16_t *leaves[TREES];
    float moved[VALUES];
    for (int tree = 0; tree < TREES; tree += TOGETHER) {
        int nodes[TOGETHER] = {0};
        for (int level = 0; level < DEPTH; level++)
            for (int i = 0; i < TOGETHER; i++) { /* none of them waits for another */
                int32_t split = model->splits[stage][tree + i][nodes[i]];
                int exceeds = levels[split & 1023] - levels[split >> 10 & 1023] > split >> 20;
                nodes[i] = 2 * nodes[i] + 2 - exceeds;
            }
        for (int i = 0; i < TOGETHER; i++) {
            leaves[tree + i] = model->leaves[stage][tree + i][nodes[i] - SPLITS];
            __builtin_prefetch(leaves[tree + i]);
            __builtin_prefetch(leaves[tree + i] + VALUES - 1); /* it may lie in two lines */
        }
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
    void *memory = PyMem_Calloc(1, sizeof(Model) + LINE_BYTES);
    /* So that a tree's splits are one line of the cache. */
    Model *model = (Model *)(((uintptr_t)memory + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES);
    PyObject *capsule = NULL;
    if (memory == NULL) {
        PyErr_NoMemory();
    } else if (read_model(bytes.buf, (size_t)bytes.len, model)) {
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

/* Whether a picture is one of bytes that can be looked at in that size: grey, or RGB that becomes no larger. */
static int is_shown(const Py_buffer *image, int width, int height) {
    int grey = image->ndim == 2, rgb = image->ndim == 3 && image->shape[2] == 3 && image->strides[2] == 1;
    if (image->itemsize != 1 || !(grey || rgb) || image->strides[1] != (grey ? 1 : 3))
        return 0;
    for (int i = 0; i < 2; i++)
        if (image->shape[i] < 1 || image->shape[i] > MAX_PLACE)
            return 0;
    if (grey && (image->strides[0] < 0 || image->shape[0] * image->strides[0] > INT32_MAX))
        return 0;
    int fits = width >= 1 && height >= 1 && width <= MAX_SHOWN && height <= MAX_SHOWN;
    return fits && (grey || (width <= image->shape[1] && height <= image->shape[0]));
}

/* 0, with an error, where that can't be. The lines are to be freed. */
static int show(const Py_buffer *image, int width, int height, Picture *picture) {
    if (!is_shown(image, width, height)) {
        PyErr_SetString(PyExc_ValueError, "the picture is neither grey nor RGB, or can't be looked at in that size");
        return 0;
    }
    *picture = (Picture){.pixels = image->buf, .row_bytes = image->strides[0], .width = width, .height = height};
    size_t lines = (size_t)(width + height + 4);
    int of_width = (int)image->shape[1], of_height = (int)image->shape[0];
    if (image->ndim == 2 && (picture->columns = PyMem_Calloc(lines, sizeof(Blend))) != NULL) {
        picture->rows = picture->columns + width + 2;
        enlarge(picture->columns + 1, width, of_width, 1, 0);
        enlarge(picture->rows + 1, height, of_height, (int)image->strides[0], 1);
    } else if (image->ndim == 3 && (picture->wide = PyMem_Calloc(lines, sizeof(Run))) != NULL) {
        picture->high = picture->wide + width + 2;
        reduce(picture->wide + 1, width, of_width);
        reduce(picture->high + 1, height, of_height);
    } else {
        PyErr_NoMemory();
        return 0;
    }
    return 1;
}

static PyObject *py_predict(PyObject *Py_UNUSED(module), PyObject *args) {
    PyObject *capsule, *of;
    Py_buffer image;
    Picture picture;
    int width, height, left, top, side;
    long p[VALUES];

    if (!PyArg_ParseTuple(args, "OO(ii)(ii)i", &capsule, &of, &width, &height, &left, &top, &side))
        return NULL;
    const Model *model = PyCapsule_GetPointer(capsule, CAPSULE);
    if (model == NULL)
        return NULL;
    if (left < -MAX_PLACE || left > MAX_PLACE || top < -MAX_PLACE || top > MAX_PLACE || side < 1 || side > MAX_PLACE)
        return PyErr_Format(PyExc_ValueError, "the box is too far away, or of no size that one has");
    if (PyObject_GetBuffer(of, &image, PyBUF_STRIDED_RO) < 0)
        return NULL;
    int shown = show(&image, width, height, &picture);
    if (shown) {
        View view = {.picture = &picture, .left = (float)left, .top = (float)top, .side = (float)side};
        place_box(&view, left, top, side);
        Py_BEGIN_ALLOW_THREADS
        predict(model, &view, p);
        Py_END_ALLOW_THREADS
        PyMem_Free(picture.columns);
        PyMem_Free(picture.wide);
    }
    PyBuffer_Release(&image);
    if (!shown)
        return NULL;
    return Py_BuildValue("[(ll)(ll)(ll)(ll)(ll)]", p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8], p[9]);
}

static PyMethodDef methods[] = {
    {"load", py_load, METH_VARARGS, "The model in the bytes of a file of dlib's. ValueError if it is another kind."},
    {"predict", py_predict, METH_VARARGS, "Landmarks by (model, picture, (width, height) to look at it in, (left, top) of a square box, its side)."},
    {NULL, NULL, 0, NULL},
};
static PyModuleDef_Slot slots[] = {{0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_landmarks", "The shipped landmark model.", 0, methods, slots, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__landmarks(void) {
    return PyModuleDef_Init(&definition);
}
