// Rounded corners, which libvips has no operation for.
#ifndef CALOTYPE_ROUND_H
#define CALOTYPE_ROUND_H

#include <vips/vips.h>

// The picture has 8 bits and transparency. Radii are those of the left upper, right upper, right lower and left lower corner; what
// lies outside becomes ink, a value for each band. Rows are made one by one, of the same row of the picture: nothing is kept.
int ct_round(VipsImage *in, const double *radii, const double *ink, VipsImage **out);

#endif
