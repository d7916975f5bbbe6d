#include "round.h"

#include <math.h>
#include <string.h>

typedef struct {
	double radii[4], ink[4];
	int w, h;
} rounding;

// How much of a pixel lies inside, as if its edge were straight.
static double inside(double radius, double across, double down) { return VIPS_CLIP(0, radius + 0.5 - hypot(across, down), 1); }

static void blend(VipsPel *p, int bands, const double *ink, double share) {
	double opacity = p[bands - 1] * share, under = ink[bands - 1] * (1 - share), both = opacity + under;
	for (int b = 0; b < bands - 1; b++)
		p[b] = both > 0 ? (p[b] * opacity + ink[b] * under) / both + 0.5 : 0;
	p[bands - 1] = both + 0.5;
}

// The rows of one corner: where it begins at this row, and which way it bends.
static void corner(VipsPel *row, const VipsRect *area, double radius, double from_edge, gboolean right, int bands, const rounding *c) {
	if (from_edge >= radius)
		return;
	int wide = ceil(radius);
	int from = VIPS_MAX(area->left, right ? c->w - wide : 0), to = VIPS_MIN(VIPS_RECT_RIGHT(area), right ? c->w : wide);
	for (int x = from; x < to; x++) {
		double across = radius - (right ? c->w - x - 0.5 : x + 0.5);
		blend(row + (x - area->left) * bands, bands, c->ink, inside(radius, VIPS_MAX(0, across), radius - from_edge));
	}
}

static void corners(VipsPel *row, const VipsRect *area, int y, int bands, const rounding *c) {
	double above = y + 0.5, below = c->h - y - 0.5;
	corner(row, area, c->radii[0], above, FALSE, bands, c);
	corner(row, area, c->radii[1], above, TRUE, bands, c);
	corner(row, area, c->radii[2], below, TRUE, bands, c);
	corner(row, area, c->radii[3], below, FALSE, bands, c);
}

static int generate(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	VipsRegion *in = seq;
	VipsRect *area = &out->valid;
	(void) a, (void) stop;
	if (vips_region_prepare(in, area))
		return -1;
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++) {
		VipsPel *row = VIPS_REGION_ADDR(out, area->left, y);
		memcpy(row, VIPS_REGION_ADDR(in, area->left, y), VIPS_REGION_SIZEOF_LINE(out));
		corners(row, area, y, out->im->Bands, b);
	}
	return 0;
}

int ct_round(VipsImage *in, const double *radii, const double *ink, VipsImage **out) {
	*out = vips_image_new();
	rounding *c = VIPS_NEW(*out, rounding);
	memcpy(c->radii, radii, sizeof c->radii);
	memcpy(c->ink, ink, sizeof(double) * in->Bands);
	c->w = in->Xsize;
	c->h = in->Ysize;
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL) ||
		vips_image_generate(*out, vips_start_one, generate, vips_stop_one, in, c)) {
		g_object_unref(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}
