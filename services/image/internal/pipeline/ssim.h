// How like two pictures are: structural similarity, which libvips has no operation for.
#ifndef CALOTYPE_SSIM_H
#define CALOTYPE_SSIM_H

#include <vips/vips.h>

// Both pictures have 8 bits and the same size, and one band (grey) or three (sRGB). Index becomes 1 for equal ones, and less the
// more they differ: SSIM (Wang et al., 2004) of windows of 8 x 8 pixels, every 4 pixels, over those in which there is anything to be seen;
// of light, and of both colour differences at half the size, by 8 : 1 : 1.
int ct_ssim(VipsImage *a, VipsImage *b, double *index);

#endif
