#include "convolve.h"

#include <string.h>

// The neighbours that count.
typedef struct {
	int x[25], y[25];
	gint64 weight[25];
	int n, reach, bands, colours;
	gboolean alpha;
	gint64 by;
} kernel;

static VipsPel level(gint64 sum, gint64 by) {
	gint64 v = sum <= 0 ? 0 : (sum + by / 2) / by;
	return VIPS_MIN(v, 255);
}

// With transparency, sums are 255 times as large. Where, and by how many bytes, a neighbour lies from the pixel, is told by near.
static void gather(VipsPel *to, const VipsPel *at, const ptrdiff_t *near, const kernel *k) {
	gint64 sums[3] = {0};
	for (int i = 0; i < k->n; i++) {
		const VipsPel *p = at + near[i];
		for (int b = 0; b < k->colours; b++)
			sums[b] += k->weight[i] * (k->alpha ? at[b] * 255 + (p[b] - at[b]) * p[k->colours] : p[b]);
	}
	for (int b = 0; b < k->colours; b++)
		to[b] = level(sums[b], k->by);
	if (k->alpha)
		to[k->colours] = at[k->colours];
}

static int generate(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	VipsRegion *in = seq;
	VipsRect *area = &out->valid;
	const kernel *k = b;
	VipsRect need = {area->left, area->top, area->width + 2 * k->reach, area->height + 2 * k->reach};
	ptrdiff_t near[25];
	(void) a, (void) stop;
	if (vips_region_prepare(in, &need))
		return -1;
	for (int i = 0; i < k->n; i++)
		near[i] = (ptrdiff_t) k->y[i] * VIPS_REGION_LSKIP(in) + k->x[i] * k->bands;
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++) {
		VipsPel *to = VIPS_REGION_ADDR(out, area->left, y);
		const VipsPel *at = VIPS_REGION_ADDR(in, area->left + k->reach, y + k->reach);
		for (int x = 0; x < area->width; x++, to += k->bands, at += k->bands)
			gather(to, at, near, k);
	}
	return 0;
}

int ct_widen(VipsImage *in, int by, VipsImage **out) {
	return vips_embed(in, out, by, by, in->Xsize + 2 * by, in->Ysize + 2 * by, "extend", VIPS_EXTEND_COPY, NULL);
}

int ct_convolve(VipsImage *in, const gint64 *weights, int side, gint64 by, VipsImage **out) {
	*out = vips_image_new();
	kernel *k = VIPS_NEW(*out, kernel);
	memset(k, 0, sizeof *k);
	k->reach = side / 2;
	k->bands = in->Bands;
	k->alpha = in->Bands == 2 || in->Bands == 4;
	k->colours = in->Bands - k->alpha;
	k->by = k->alpha ? by * 255 : by;
	for (int i = 0; i < side * side; i++)
		if (weights[i]) {
			k->x[k->n] = i % side - k->reach;
			k->y[k->n] = i / side - k->reach;
			k->weight[k->n++] = weights[i];
		}
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_FATSTRIP, in, NULL))
		goto failed;
	(*out)->Xsize = in->Xsize - 2 * k->reach;
	(*out)->Ysize = in->Ysize - 2 * k->reach;
	if (!vips_image_generate(*out, vips_start_one, generate, vips_stop_one, in, k))
		return 0;
failed:
	g_object_unref(*out);
	*out = NULL;
	return -1;
}
