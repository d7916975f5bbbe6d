// Noise that is the same wherever it is made: the generators of libvips differ from version to version.
#ifndef CALOTYPE_NOISE_H
#define CALOTYPE_NOISE_H

#include <vips/vips.h>

// Makes each pixel of a picture of 8 bits and 1 to 4 bands lighter or darker, all its colours by as much: anything within range / 2, as a
// hash of the pixel's place says. Rows are made one by one, of the same row of the picture: nothing is kept.
int ct_noise(VipsImage *in, double range, VipsImage **out);

#endif
