#ifndef CALOTYPE_RESAMPLE_H
#define CALOTYPE_RESAMPLE_H

#include <vips/vips.h>

// Makes a picture of 8 bits and at most 4 bands smaller: the left upper part of it, of any width and height, becomes to_w x to_h pixels, none larger than
// it was. The picture must be as large as the part, but for a fraction of a pixel.
int ct_reduce(VipsImage *in, double part_w, double part_h, int to_w, int to_h, VipsImage **out);

// Multiplies the colours of a picture of 8 bits with its opacity, the last band, and back.
int ct_weigh(VipsImage *in, VipsImage **out);
int ct_unweigh(VipsImage *in, VipsImage **out);

#endif
