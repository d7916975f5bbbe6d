#include "noise.h"

#include <string.h>

// The last steps of MurmurHash3 by Austin Appleby, after both coordinates: 32 bits of which each depends on all.
static guint32 scatter(guint32 x, guint32 y) {
	guint32 h = x * 0x9e3779b1u ^ (y + 0x7f4a7c15u) * 0x85ebca77u;
	h = (h ^ h >> 16) * 0x85ebca6bu;
	h = (h ^ h >> 13) * 0xc2b2ae35u;
	h = (h ^ h >> 15) * 0x2c1b3c6du;
	return h ^ h >> 16;
}

#define MILLION G_GINT64_CONSTANT(1000000)

// A range's share for a hash, rounded: in whole numbers, so that it is the same on every machine. The range is in millionths.
static int share(gint64 range, guint32 hash) {
	gint64 more = range * (hash - (G_GINT64_CONSTANT(1) << 31)) + (MILLION << 31);
	return (more + (100 * MILLION << 32)) / (MILLION << 32) - 100; // never below 0 when it is divided, which cuts off
}

static int generate(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	VipsRegion *in = seq;
	VipsRect *area = &out->valid;
	gint64 range = *(gint64 *) b;
	int bands = out->im->Bands, colours = bands < 3 ? 1 : 3;
	(void) a, (void) stop;
	if (vips_region_prepare(in, area))
		return -1;
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++) {
		VipsPel *p = VIPS_REGION_ADDR(out, area->left, y);
		memcpy(p, VIPS_REGION_ADDR(in, area->left, y), VIPS_REGION_SIZEOF_LINE(out));
		for (int x = 0; x < area->width; x++, p += bands) {
			int by = share(range, scatter(area->left + x, y));
			for (int k = 0; k < colours; k++)
				p[k] = VIPS_CLIP(0, p[k] + by, 255);
		}
	}
	return 0;
}

int ct_noise(VipsImage *in, double range, VipsImage **out) {
	*out = vips_image_new();
	gint64 *kept = VIPS_NEW(*out, gint64);
	*kept = range * MILLION + 0.5;
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL) ||
		vips_image_generate(*out, vips_start_one, generate, vips_stop_one, in, kept)) {
		g_object_unref(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}
