#include "resample.h"

// Colours of an opacity; the division is one by multiplication that is right for all products of two bytes.
static void weigh(const VipsPel *from, VipsPel *to, int n, int bands) {
	for (int i = 0; i < n; i++, from += bands, to += bands) {
		unsigned opacity = from[bands - 1];
		for (int b = 0; b < bands - 1; b++) {
			unsigned v = from[b] * opacity + 128;
			to[b] = (v + (v >> 8)) >> 8;
		}
		to[bands - 1] = opacity;
	}
}

static void unweigh(const VipsPel *from, VipsPel *to, int n, int bands) {
	for (int i = 0; i < n; i++, from += bands, to += bands) {
		unsigned opacity = from[bands - 1];
		for (int b = 0; b < bands - 1; b++)
			to[b] = opacity == 255 ? from[b] : opacity == 0 ? 0 : VIPS_MIN(255, (from[b] * 255 + opacity / 2) / opacity);
		to[bands - 1] = opacity;
	}
}

typedef void each(const VipsPel *from, VipsPel *to, int n, int bands);

static int generate(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	VipsRegion *in = seq;
	VipsRect *area = &out->valid;
	(void) a, (void) stop;
	if (vips_region_prepare(in, area))
		return -1;
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++)
		(*(each **) b)(VIPS_REGION_ADDR(in, area->left, y), VIPS_REGION_ADDR(out, area->left, y), area->width, in->im->Bands);
	return 0;
}

static int pointwise(VipsImage *in, each *f, VipsImage **out) {
	*out = vips_image_new();
	each **kept = VIPS_NEW(*out, each *);
	*kept = f;
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_ANY, in, NULL) ||
		vips_image_generate(*out, vips_start_one, generate, vips_stop_one, in, kept)) {
		g_object_unref(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}

int ct_weigh(VipsImage *in, VipsImage **out) { return pointwise(in, weigh, out); }

int ct_unweigh(VipsImage *in, VipsImage **out) { return pointwise(in, unweigh, out); }
