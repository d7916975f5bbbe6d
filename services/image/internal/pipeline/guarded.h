#ifndef CALOTYPE_GUARDED_H
#define CALOTYPE_GUARDED_H

#include "shim.h"

// Lets a loader that is blocked be used, by its class, for the whole process.
void ct_allow(const char *loader);

// Opens a drawing at a scale. Rows come as they are asked for.
int ct_draw(int format, void *data, size_t size, double scale, int page, VipsImage **out);

// Makes a picture of rows of blue, green, red and perhaps a fourth byte, which must stay where they are.
int ct_bitmap(void *rows, int w, int h, int stride, int bytes, int down, VipsImage **out);

#endif
