#include "equalize.h"

#include <string.h>

// How light a pixel is, by 0.213 red + 0.715 green + 0.072 blue, in whole numbers so that it is the same everywhere.
static int lightness(const VipsPel *p, int bands) {
	return bands < 3 ? p[0] : (13959 * p[0] + 46858 * p[1] + 4719 * p[2] + 32768) >> 16;
}

// The counts of one thread.
static void *start_count(VipsImage *out, void *a, void *b) {
	VipsImage *in = a;
	guint64 *counts = VIPS_ARRAY(NULL, 256, guint64);
	(void) out, (void) in, (void) b;
	if (counts)
		memset(counts, 0, 256 * sizeof *counts);
	return counts;
}

static int count(VipsRegion *region, void *seq, void *a, void *b, gboolean *stop) {
	VipsRect *area = &region->valid;
	guint64 *counts = seq;
	int bands = region->im->Bands;
	gboolean alpha = bands == 2 || bands == 4;
	(void) a, (void) b, (void) stop;
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++) {
		const VipsPel *p = VIPS_REGION_ADDR(region, area->left, y);
		for (int x = 0; x < area->width; x++, p += bands)
			counts[lightness(p, bands)] += alpha ? p[bands - 1] : 255;
	}
	return 0;
}

// libvips stops threads one after the other.
static int stop_count(void *seq, void *a, void *b) {
	guint64 *counts = seq, *all = b;
	(void) a;
	for (int i = 0; i < 256; i++)
		all[i] += counts[i];
	g_free(counts);
	return 0;
}

int ct_lightness(VipsImage *in, guint64 counts[256]) {
	memset(counts, 0, 256 * sizeof *counts);
	return vips_sink(in, start_count, count, stop_count, in, counts);
}

static void shift(VipsPel *p, int colours, int by) {
	for (int b = 0; b < colours; b++)
		p[b] = VIPS_CLIP(0, p[b] + by, 255);
}

static int relight(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	VipsRegion *in = seq;
	VipsRect *area = &out->valid;
	const guint8 *table = b;
	int bands = out->im->Bands, colours = bands < 3 ? 1 : 3;
	(void) a, (void) stop;
	if (vips_region_prepare(in, area))
		return -1;
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++) {
		VipsPel *p = VIPS_REGION_ADDR(out, area->left, y);
		memcpy(p, VIPS_REGION_ADDR(in, area->left, y), VIPS_REGION_SIZEOF_LINE(out));
		for (int x = 0; x < area->width; x++, p += bands) {
			int light = lightness(p, bands);
			shift(p, colours, table[light] - light);
		}
	}
	return 0;
}

int ct_relight(VipsImage *in, const guint8 table[256], VipsImage **out) {
	*out = vips_image_new();
	guint8 *kept = VIPS_ARRAY(*out, 256, guint8);
	memcpy(kept, table, 256);
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL) ||
		vips_image_generate(*out, vips_start_one, relight, vips_stop_one, in, kept)) {
		g_object_unref(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}
