// Convolution in whole numbers: that of libvips is exact for some matrices only, and lets hidden colours in.
#ifndef CALOTYPE_CONVOLVE_H
#define CALOTYPE_CONVOLVE_H

#include <vips/vips.h>

// Repeats the pixels of all edges.
int ct_widen(VipsImage *in, int by, VipsImage **out);
// Makes each pixel of a picture of 8 bits and 1 to 4 bands the sum of those around it by their weights, side x side of them row by row, divided
// by a number above 0. The result is smaller by side - 1. Transparency stays, and a neighbour counts as the pixel itself where it does not show.
int ct_convolve(VipsImage *in, const gint64 *weights, int side, gint64 by, VipsImage **out);

#endif
