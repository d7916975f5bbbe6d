// Resizing by Lanczos' kernel of three lobes, in both directions at once and 16 rows at a time: libvips makes five pictures and a row at a
// time of it, and before 8.15 goes across pixel by pixel, which alone was a third of what a set of pictures cost. Whole numbers throughout, so that all
// processors give the same bytes.
#include "resample.h"

#include <math.h>
#include <string.h>

#include "taps.h"

#define LOBES 3
#define FINE 1024 // steps of the kernel's table per unit

// What is beyond this many times smaller is brought near by the means of whole pixels first, as libvips does.
#define GAP 2.0

typedef struct {
	int n;         // taps of each pixel, by fours
	int *first;    // of the pixels that each is made of
	short *weight; // n each
} filter;

typedef struct {
	filter across, down;
} reduction;

typedef struct {
	VipsRegion *in;
	short *line; // one row of the result at the width of the original
} work;

static double *kernel(void) {
	static gsize ready;
	static double table[LOBES * FINE + 2];
	if (g_once_init_enter(&ready)) {
		table[0] = 1;
		for (int i = 1; i < LOBES * FINE; i++) {
			double x = G_PI * i / FINE;
			table[i] = LOBES * sin(x) * sin(x / LOBES) / (x * x);
		}
		g_once_init_leave(&ready, 1);
	}
	return table;
}

static double lanczos(const double *table, double x) {
	double at = fabs(x) * FINE;
	int i = at;
	return i >= LOBES * FINE ? 0 : table[i] + (table[i + 1] - table[i]) * (at - i);
}

// Pixels that would be beyond an edge are those at the edge.
static void design(VipsImage *owner, filter *f, int have, double part, int to) {
	double by = part / to, reach = LOBES * by;
	const double *table = kernel();
	f->n = VIPS_ROUND_UP((int) ceil(2 * reach) + 1, 4);
	f->first = VIPS_ARRAY(owner, to, int);
	f->weight = VIPS_ARRAY(owner, to * f->n, short);
	double *w = g_new(double, f->n);
	for (int i = 0; i < to; i++) {
		double centre = (i + 0.5) * by - 0.5, sum = 0;
		int from = ceil(centre - reach), first = VIPS_CLIP(0, from, have - 1), rest = TAPS_ONE, most = 0;
		short *weight = f->weight + (gsize) i * f->n;
		memset(w, 0, f->n * sizeof *w);
		for (int k = from; k <= centre + reach; k++) {
			double v = lanczos(table, (k - centre) / by);
			w[VIPS_CLIP(first, k, have - 1) - first] += v;
			sum += v;
		}
		for (int k = 0; k < f->n; k++) {
			weight[k] = rint(w[k] / sum * TAPS_ONE);
			rest -= weight[k];
			if (weight[k] > weight[most])
				most = k;
		}
		weight[most] += rest;
		f->first[i] = first;
	}
	g_free(w);
}

static void *begin(VipsImage *out, void *a, void *b) {
	VipsImage *in = a;
	const reduction *r = b;
	(void) out;
	work *w = g_new(work, 1);
	w->in = vips_region_new(in);
	w->line = g_new0(short, (gsize) (in->Xsize + r->across.n) * in->Bands + TAPS_BEYOND);
	return w;
}

static int end(void *seq, void *a, void *b) {
	work *w = seq;
	(void) a, (void) b;
	g_object_unref(w->in);
	g_free(w->line);
	g_free(w);
	return 0;
}

static int generate(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	work *w = seq;
	VipsImage *in = a;
	const filter *across = &((reduction *) b)->across, *down = &((reduction *) b)->down;
	VipsRect *area = &out->valid, need;
	int bands = in->Bands;
	(void) stop;
	need.left = across->first[area->left];
	need.top = down->first[area->top];
	need.width = VIPS_MIN(in->Xsize, across->first[VIPS_RECT_RIGHT(area) - 1] + across->n) - need.left;
	need.height = VIPS_MIN(in->Ysize, down->first[VIPS_RECT_BOTTOM(area) - 1] + down->n) - need.top;
	if (vips_region_prepare(w->in, &need))
		return -1;
	const VipsPel **rows = g_newa(const VipsPel *, down->n);
	for (int y = area->top; y < VIPS_RECT_BOTTOM(area); y++) {
		for (int k = 0; k < down->n; k++)
			rows[k] = VIPS_REGION_ADDR(w->in, need.left, VIPS_MIN(down->first[y] + k, in->Ysize - 1));
		ct_taps_down(rows, down->weight + (gsize) y * down->n, down->n, w->line, need.width * bands);
		ct_taps_across(w->line, bands, across->first + area->left, need.left, across->weight + (gsize) area->left * across->n, across->n,
			VIPS_REGION_ADDR(out, area->left, y), area->width);
	}
	return 0;
}

static int lanczos_reduce(VipsImage *in, double part_w, double part_h, int to_w, int to_h, VipsImage **out) {
	*out = vips_image_new();
	g_object_ref(in);
	vips_object_local(*out, in); // lives as long as what is computed of it
	reduction *r = VIPS_NEW(*out, reduction);
	design(*out, &r->across, in->Xsize, part_w, to_w);
	design(*out, &r->down, in->Ysize, part_h, to_h);
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_FATSTRIP, in, NULL) == 0) {
		(*out)->Xsize = to_w;
		(*out)->Ysize = to_h;
		if (vips_image_generate(*out, begin, generate, end, in, r) == 0)
			return 0;
	}
	g_object_unref(*out);
	*out = NULL;
	return -1;
}

static int means(VipsImage *in, int across, int down, VipsImage **out) {
	VipsImage *low;
	if (across == 1)
		return vips_shrinkv(in, out, down, "ceil", TRUE, NULL);
	if (down == 1)
		return vips_shrinkh(in, out, across, "ceil", TRUE, NULL);
	if (vips_shrinkv(in, &low, down, "ceil", TRUE, NULL))
		return -1;
	int r = vips_shrinkh(low, out, across, "ceil", TRUE, NULL);
	g_object_unref(low);
	return r;
}

int ct_reduce(VipsImage *in, double part_w, double part_h, int to_w, int to_h, VipsImage **out) {
	int across = VIPS_MAX(1, floor(part_w / to_w / GAP)), down = VIPS_MAX(1, floor(part_h / to_h / GAP));
	VipsImage *small;
	if (across == 1 && down == 1)
		return lanczos_reduce(in, part_w, part_h, to_w, to_h, out);
	if (means(in, across, down, &small))
		return -1;
	int r = lanczos_reduce(small, part_w / across, part_h / down, to_w, to_h, out);
	g_object_unref(small);
	return r;
}
