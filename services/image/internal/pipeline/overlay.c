#include "overlay.h"

#include <string.h>

typedef struct {
	VipsImage *layer;
	ct_place at;
} laying;

// One pixel over another: the colour weighs as its opacity of 255 times 100 does, and what is below as it shows through.
static inline void over(VipsPel *p, int bands, const VipsPel *top, int percent) {
	unsigned int a = top[3] * percent;
	if (a == 0)
		return;
	if (bands == 3) {
		for (int b = 0; b < 3; b++)
			p[b] = (top[b] * a + p[b] * (25500 - a) + 12750) / 25500;
		return;
	}
	guint64 above = (guint64) a * 255, below = (guint64) p[3] * (25500 - a), both = above + below;
	for (int b = 0; b < 3; b++)
		p[b] = (top[b] * above + p[b] * below + both / 2) / both;
	p[3] = (both + 12750) / 25500;
}

// The opacity of a mask at a place of the picture: none outside of it.
static inline const VipsPel *found(const laying *l, int x, int y) {
	x -= l->at.x;
	y -= l->at.y;
	if (l->at.across) {
		x %= l->at.across;
		y %= l->at.down;
		if (x < 0)
			x += l->at.across;
		if (y < 0)
			y += l->at.down;
	}
	if (x < 0 || y < 0 || x >= l->layer->Xsize || y >= l->layer->Ysize)
		return NULL;
	return VIPS_IMAGE_ADDR(l->layer, x, y);
}

static int generate(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	VipsRegion *in = seq;
	const laying *l = b;
	VipsRect *area = &out->valid;
	int bands = out->im->Bands;
	(void) a, (void) stop;
	if (vips_region_prepare(in, area))
		return -1;
	// Beside a single overlay nothing changes, unless it is a mask.
	int from = area->left, to = VIPS_RECT_RIGHT(area);
	if (!l->at.across && !l->at.mask) {
		from = VIPS_MAX(from, l->at.x);
		to = VIPS_MIN(to, l->at.x + l->layer->Xsize);
	}
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++) {
		VipsPel *row = VIPS_REGION_ADDR(out, area->left, y);
		memcpy(row, VIPS_REGION_ADDR(in, area->left, y), VIPS_REGION_SIZEOF_LINE(out));
		for (int x = from; x < to; x++) {
			VipsPel *p = row + (x - area->left) * bands;
			const VipsPel *top = found(l, x, y);
			if (l->at.mask)
				p[bands - 1] = top ? (p[bands - 1] * top[3] + 127) / 255 : 0;
			else if (top)
				over(p, bands, top, l->at.opacity);
		}
	}
	return 0;
}

int ct_lay(VipsImage *in, VipsImage *layer, const ct_place *at, VipsImage **out) {
	*out = vips_image_new();
	laying *l = VIPS_NEW(*out, laying);
	*l = (laying){layer, *at};
	g_object_ref(layer);
	vips_object_local(*out, layer);
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_THINSTRIP, in, NULL) ||
		vips_image_generate(*out, vips_start_one, generate, vips_stop_one, in, l)) {
		g_object_unref(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}

int ct_turn(VipsImage *in, double degrees, VipsImage **out) { return vips_rotate(in, out, degrees, NULL); }
