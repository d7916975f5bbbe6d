#include "gradient.h"

#include <math.h>
#include <string.h>

typedef struct {
	double across, down, first; // how far a pixel to the right, a pixel below and the left upper one are, in parts of the change
	double from[5], change[5];  // colours times their opacity, and an opacity of 0..1
	int colours;
	gboolean alpha;
} slope;

// As CSS Images 3 has it: the line is as long as makes the corners its ends, and colours are mixed after they are multiplied by their
// opacity, so that what is transparent has no colour.
static void survey(slope *s, const VipsImage *in, const ct_way *way) {
	double turn = way->angle * G_PI / 180, x = sin(turn), y = -cos(turn);
	double length = fabs(in->Xsize * x) + fabs(in->Ysize * y), span = way->stop - way->start;
	double corner = 0.5 + ((0.5 - in->Xsize / 2.0) * x + (0.5 - in->Ysize / 2.0) * y) / length;
	s->across = x / length / span;
	s->down = y / length / span;
	s->first = (corner - way->start) / span;
	s->alpha = vips_image_hasalpha((VipsImage *) in);
	s->colours = in->Bands - s->alpha;
	double from = way->from[s->colours] / 255, to = way->to[s->colours] / 255;
	for (int b = 0; b < s->colours; b++) {
		s->from[b] = way->from[b] * from;
		s->change[b] = way->to[b] * to - s->from[b];
	}
	s->from[s->colours] = from;
	s->change[s->colours] = to - from;
}

static void lay(VipsPel *p, const slope *s, double at) {
	int n = s->colours;
	double part = VIPS_CLIP(0, at, 1), over = s->from[n] + part * s->change[n];
	double under = (1 - over) * (s->alpha ? p[n] / 255.0 : 1), both = s->alpha ? over + under : 1;
	for (int b = 0; b < n; b++)
		p[b] = both > 0 ? (s->from[b] + part * s->change[b] + p[b] * under) / both + 0.5 : 0;
	if (s->alpha)
		p[n] = both * 255 + 0.5;
}

static int generate(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	VipsRegion *in = seq;
	VipsRect *area = &out->valid;
	const slope *s = b;
	(void) a, (void) stop;
	if (vips_region_prepare(in, area))
		return -1;
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++) {
		VipsPel *row = VIPS_REGION_ADDR(out, area->left, y);
		memcpy(row, VIPS_REGION_ADDR(in, area->left, y), VIPS_REGION_SIZEOF_LINE(out));
		for (int x = 0; x < area->width; x++)
			lay(row + x * out->im->Bands, s, s->first + s->across * (area->left + x) + s->down * y);
	}
	return 0;
}

int ct_gradient(VipsImage *in, const ct_way *way, VipsImage **out) {
	*out = vips_image_new();
	slope *s = VIPS_NEW(*out, slope);
	survey(s, in, way);
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL) ||
		vips_image_generate(*out, vips_start_one, generate, vips_stop_one, in, s)) {
		g_object_unref(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}
