// libvips' operations are variadic C functions, which Go cannot call: each one that is used stands here with fixed arguments,
// together with what must be set once for the whole process.
#ifndef CALOTYPE_SHIM_H
#define CALOTYPE_SHIM_H

#include <stdlib.h>
#include <vips/vips.h>

#include "overlay.h"
#include "reins.h"
#include "round.h"

enum { CT_JPEG, CT_PNG, CT_WEBP, CT_GIF, CT_HEIF, CT_TIFF, CT_JXL, CT_SVG, CT_PDF };

typedef struct {
	int format;
	int quality;  // 1..100, where the format has one
	int effort;   // of the encoder, in libvips' scale of the format
	int lossless;
	int keep;     // metadata
	int profile;  // kept though metadata is not
	int progressive;
	int palette;    // at most 256 colours
	int subsampled; // colour differences
} ct_output;

int ct_start(void);
int ct_has(const char *operation);

// Between: the decoder reads piece by piece, and can be stopped in between; for those that decode everything at the first row.
int ct_load(int format, void *data, size_t size, int shrink, double scale, int page, int frames, int between, ct_reins *r, VipsImage **out);
int ct_save(VipsImage *in, const ct_output *o, ct_reins *r, void **data, size_t *size);

int ct_black(int w, int h, VipsImage **out);
int ct_label(VipsImage *in, VipsInterpretation as, VipsImage **out);
int ct_page_height(VipsImage *in, int height, VipsImage **out);
int ct_clean(VipsImage *in, int keep, int profile, VipsImage **out);
// Drops what tells of an original and is not needed to render it, of a picture that nobody else has: every operation copies all of it.
void ct_forget(VipsImage *image);
int ct_memory(VipsImage *in, VipsImage **out);
int ct_read(VipsImage *in);

int ct_extract(VipsImage *in, int x, int y, int w, int h, VipsImage **out);
int ct_bands(VipsImage *in, int n, VipsImage **out);
int ct_join(VipsImage **in, int n, VipsImage **out);
int ct_resize(VipsImage *in, double h, double v, VipsImage **out);
int ct_stretch(VipsImage *in, int w, int h, VipsImage **out);
int ct_premultiply(VipsImage *in, VipsImage **out);
int ct_unpremultiply(VipsImage *in, VipsImage **out);
int ct_cast(VipsImage *in, VipsBandFormat to, VipsImage **out);
int ct_orient(VipsImage *in, VipsImage **out);
int ct_rotate(VipsImage *in, VipsAngle angle, VipsImage **out);
int ct_flip(VipsImage *in, VipsDirection direction, VipsImage **out);
int ct_blur(VipsImage *in, double sigma, VipsImage **out);
int ct_sharpen(VipsImage *in, double sigma, VipsImage **out);
int ct_map(VipsImage *in, const void *tables, VipsImage **out);
int ct_mix(VipsImage *in, double *matrix, double *plus, int bands, VipsImage **out);
int ct_squares(VipsImage *in, int side, VipsImage **out);
int ct_insert(VipsImage *in, VipsImage *part, int x, int y, VipsImage **out);
int ct_content(VipsImage *in, double tolerance, int *x, int *y, int *w, int *h);
int ct_over(VipsImage *in, VipsImage *top, int x, int y, VipsImage **out);
int ct_attention(VipsImage *in, int entropy, int w, int h, int *x, int *y);
int ct_embed(VipsImage *in, int x, int y, int w, int h, double *background, int n, VipsImage **out);
int ct_flatten(VipsImage *in, double *background, int n, VipsImage **out);
int ct_addalpha(VipsImage *in, VipsImage **out);
int ct_colourspace(VipsImage *in, VipsInterpretation space, VipsImage **out);

#endif
