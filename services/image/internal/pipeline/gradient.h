// Gradients, which libvips has no operation for.
#ifndef CALOTYPE_GRADIENT_H
#define CALOTYPE_GRADIENT_H

#include <vips/vips.h>

typedef struct {
	double angle;       // degrees clockwise from "to the top"
	double start, stop; // parts of the way, between which the colour changes
	double from[5], to[5]; // each the picture's colours, and last an opacity, 0..255
} ct_way;

// The picture has 8 bits. Rows are made one by one, of the same row of the picture: nothing is kept.
int ct_gradient(VipsImage *in, const ct_way *way, VipsImage **out);

#endif
