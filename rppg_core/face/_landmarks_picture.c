/* Pixels of a picture at another size, one by one: the model compares 12,000 of them, and a face has ten times as many.
 * They are those of OpenCV's resize to the level; of a reduced RGB picture, in its grey. */
#include "_landmarks.h"
#include <math.h>

/* As OpenCV has it by INTER_LINEAR. Beyond the ends a column takes the outermost alone, and a row takes it twice. */
void enlarge(Blend *lines, int count, int of, int apart, int are_rows) {
    double step = 1 / ((double)count / of);
    for (int i = 0; i < count; i++) {
        float at = (float)((i + 0.5) * step - 0.5);
        int first = (int)floorf(at), last = first + 1;
        float beyond = are_rows || (first >= 0 && first < of - 1) ? at - (float)first : 0;
        lines[i].first = (first < 0 ? 0 : first > of - 1 ? of - 1 : first) * apart;
        lines[i].last = (last > of - 1 ? of - 1 : last) * apart;
        lines[i].near = (int16_t)rintf((1 - beyond) * 2048);
        lines[i].far = (int16_t)rintf(beyond * 2048);
    }
}

/* As OpenCV has it by INTER_AREA, where the size is no whole part of the picture's. */
void reduce(Run *lines, int count, int of) {
    double step = 1 / ((double)count / of);
    for (int i = 0; i < count; i++) {
        double begin = i * step, end = begin + step, covered = fmin(step, of - begin);
        int last = (int)fmin(floor(end), of - 1), first = (int)fmin(ceil(begin), last);
        int in_part_first = first - begin > 1e-3, in_part_last = end - last > 1e-3;
        float whole = (float)(1 / covered);
        lines[i].first = first - in_part_first;
        lines[i].last = last - !in_part_last;
        lines[i].middle = whole;
        lines[i].tail = in_part_last ? (float)(fmin(fmin(end - last, 1), covered) / covered) : whole;
        lines[i].head = in_part_first ? (float)((first - begin) / covered) : first < last ? whole : lines[i].tail;
    }
}

static uint8_t enlarged(const uint8_t *pixels, Blend column, Blend row) {
    const uint8_t *upper = pixels + row.first, *lower = pixels + row.last;
    int32_t above = upper[column.first] * column.near + upper[column.last] * column.far;
    int32_t below = lower[column.first] * column.near + lower[column.last] * column.far;
    return (uint8_t)(((row.near * (above >> 4) >> 16) + (row.far * (below >> 4) >> 16) + 2) >> 2);
}

static float weight(const Run *run, int i) {
    return i == run->first ? run->head : i == run->last ? run->tail : run->middle;
}

static uint8_t reduced(const Picture *picture, const Run *column, const Run *row) {
    static const float whole = 12582912; /* added and taken off again, it rounds halves to the even number */
    float sum[3] = {0, 0, 0};
    for (int y = row->first; y <= row->last; y++) {
        const uint8_t *pixel = picture->pixels + y * picture->row_bytes + 3 * column->first;
        float along[3] = {0, 0, 0};
        for (int x = column->first; x <= column->last; x++, pixel += 3)
            for (int i = 0; i < 3; i++)
                along[i] += pixel[i] * weight(column, x);
        for (int i = 0; i < 3; i++)
            sum[i] += along[i] * weight(row, y);
    }
    for (int i = 0; i < 3; i++)
        sum[i] = sum[i] + whole - whole;
    return (uint8_t)(((int)sum[0] * 9798 + (int)sum[1] * 19235 + (int)sum[2] * 3735 + (1 << 14)) >> 15);
}

void levels_at(const Picture *picture, const int32_t *columns, const int32_t *rows, int count, uint8_t *levels) {
    const uint8_t *pixels = picture->pixels;
    if (picture->columns != NULL)
        for (int i = 0; i < count; i++)
            levels[i] = enlarged(pixels, picture->columns[columns[i]], picture->rows[rows[i]]);
    else
        for (int i = 0; i < count; i++)
            levels[i] = reduced(picture, picture->wide + columns[i], picture->high + rows[i]);
}
