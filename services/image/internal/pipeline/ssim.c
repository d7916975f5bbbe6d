#include "ssim.h"

enum { SIDE = 8, STEP = 4 };

// Steadies the quotients where there is little light or little contrast, for values of 0..255.
static const double C1 = 6.5025, C2 = 58.5225;

// What varies less than this, in the mean square, is an even surface.
static const double EVEN = 2;

typedef struct {
	const float *a, *b;
	int w, h;
} planes;

static double window(const planes *p, int left, int top, int w, int h, gboolean *seen) {
	double a = 0, b = 0, aa = 0, bb = 0, ab = 0, n = (double) w * h;
	for (int y = top; y < top + h; y++) {
		const float *pa = p->a + (size_t) y * p->w + left, *pb = p->b + (size_t) y * p->w + left;
		float sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
		for (int x = 0; x < w; x++) {
			sa += pa[x];
			sb += pb[x];
			saa += pa[x] * pa[x];
			sbb += pb[x] * pb[x];
			sab += pa[x] * pb[x];
		}
		a += sa, b += sb, aa += saa, bb += sbb, ab += sab;
	}
	a /= n, b /= n;
	double va = VIPS_MAX(0, aa / n - a * a), vb = VIPS_MAX(0, bb / n - b * b), both = ab / n - a * b;
	*seen = va > EVEN || vb > EVEN || (a - b) * (a - b) > EVEN;
	return (2 * a * b + C1) * (2 * both + C2) / ((a * a + b * b + C1) * (va + vb + C2));
}

static double similarity(const planes *p) {
	double sum = 0;
	int n = 0, w = VIPS_MIN(SIDE, p->w), h = VIPS_MIN(SIDE, p->h);
	for (int y = 0; y + h <= p->h; y += STEP)
		for (int x = 0; x + w <= p->w; x += STEP) {
			gboolean seen;
			double s = window(p, x, y, w, h, &seen);
			if (seen)
				sum += s, n++;
		}
	return n ? sum / n : 1;
}

static void light(VipsImage *im, float *out) {
	for (int y = 0; y < im->Ysize; y++) {
		const VipsPel *p = VIPS_IMAGE_ADDR(im, 0, y);
		for (int x = 0; x < im->Xsize; x++, p += im->Bands)
			*out++ = im->Bands < 3 ? p[0] : 0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2];
	}
}

// The difference of one band to the light, of four pixels together; an odd row or column at the end is left out.
static void colour(VipsImage *im, int band, float by, float *out) {
	for (int y = 0; y + 1 < im->Ysize; y += 2) {
		const VipsPel *row[] = {VIPS_IMAGE_ADDR(im, 0, y), VIPS_IMAGE_ADDR(im, 0, y + 1)};
		for (int x = 0; x + 1 < im->Xsize; x += 2) {
			float sum = 0;
			for (int i = 0; i < 4; i++) {
				const VipsPel *p = row[i / 2] + (x + i % 2) * 3;
				sum += p[band] - (0.299f * p[0] + 0.587f * p[1] + 0.114f * p[2]);
			}
			*out++ = 128 + by * sum / 4;
		}
	}
}

int ct_ssim(VipsImage *a, VipsImage *b, double *index) {
	if (a->Xsize != b->Xsize || a->Ysize != b->Ysize || a->Bands != b->Bands || a->BandFmt != VIPS_FORMAT_UCHAR || b->BandFmt != VIPS_FORMAT_UCHAR ||
		(a->Bands != 1 && a->Bands != 3) || vips_image_wio_input(a) || vips_image_wio_input(b)) {
		vips_error("calotype", "%s", "pictures that cannot be compared");
		return -1;
	}
	size_t n = (size_t) a->Xsize * a->Ysize;
	float *pa = g_new(float, n), *pb = g_new(float, n);
	light(a, pa);
	light(b, pb);
	*index = similarity(&(planes) {pa, pb, a->Xsize, a->Ysize});
	if (a->Bands == 3 && a->Xsize > 1 && a->Ysize > 1) {
		static const float by[] = {0.713f, 0, 0.564f};
		double sum = 0;
		for (int band = 0; band < 3; band += 2) {
			colour(a, band, by[band], pa);
			colour(b, band, by[band], pb);
			sum += similarity(&(planes) {pa, pb, a->Xsize / 2, a->Ysize / 2});
		}
		*index = 0.8 * *index + 0.1 * sum;
	}
	g_free(pa);
	g_free(pb);
	return 0;
}
