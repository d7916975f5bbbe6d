#include "shim.h"

#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

// What libvips logs are remarks on strangers' files; the errors that matter come back as results.
static void quiet(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
	(void) domain, (void) level, (void) message, (void) data;
}

// Only the loaders that are named are left; a newer libvips that brings others changes nothing.
static const char *const loaders[] = {
	"VipsForeignLoadJpeg", "VipsForeignLoadPng", "VipsForeignLoadWebp", "VipsForeignLoadNsgif", "VipsForeignLoadHeif", "VipsForeignLoadTiff",
};

int ct_start(void) {
#ifdef __GLIBC__
	// Without these, glibc keeps one arena a thread and gives little back: 524 MB at peak and 387 idle, against 289 and 94.
	if (!getenv("MALLOC_ARENA_MAX"))
		mallopt(M_ARENA_MAX, 2);
	if (!getenv("MALLOC_TRIM_THRESHOLD_"))
		mallopt(M_TRIM_THRESHOLD, 131072);
#endif
	g_log_set_handler("VIPS", G_LOG_LEVEL_MASK, quiet, NULL);
	g_log_set_handler("libvips", G_LOG_LEVEL_MASK, quiet, NULL);
	if (vips_init("calotype"))
		return -1;
	vips_concurrency_set(1); // as many pictures at once as there are slots, each on one core
	vips_cache_set_max(0);
	vips_cache_set_max_mem(0);
	vips_cache_set_max_files(0);
	vips_block_untrusted_set(TRUE);
	vips_operation_block_set("VipsForeignLoad", TRUE);
	for (size_t i = 0; i < G_N_ELEMENTS(loaders); i++)
		vips_operation_block_set(loaders[i], FALSE);
	vips_operation_block_set("VipsForeignSaveJxl", FALSE); // libvips has all of libjxl for untrusted; what is written is ours
	return 0;
}

int ct_has(const char *operation) { return vips_type_find("VipsOperation", operation) != 0; }

#define READ "access", VIPS_ACCESS_SEQUENTIAL, "fail_on", VIPS_FAIL_ON_ERROR

static int load_between(int format, VipsSource *in, int shrink, VipsImage **out) {
	switch (format) {
	case CT_JPEG: return vips_jpegload_source(in, out, "shrink", shrink, "unlimited", TRUE, READ, NULL);
	case CT_JXL: return vips_jxlload_source(in, out, READ, NULL);
	case CT_HEIF: return vips_heifload_source(in, out, READ, NULL);
	}
	vips_error("calotype", "no loader %d", format);
	return -1;
}

int ct_load(int format, void *data, size_t size, int shrink, double scale, int page, int frames, int between, ct_reins *r, VipsImage **out) {
	if (between) {
		VipsSource *in = ct_bytes(data, size, r);
		int result = load_between(format, in, shrink, out);
		g_object_unref(in);
		return result;
	}
	switch (format) {
	case CT_JPEG:
		// libvips' own limits refuse real photographs with a scratch and progressive files of many scans: both are bounded before this.
		return vips_jpegload_buffer(data, size, out, "shrink", shrink, "unlimited", TRUE, READ, NULL);
	case CT_PNG: return vips_pngload_buffer(data, size, out, READ, NULL);
	case CT_WEBP: return vips_webpload_buffer(data, size, out, "scale", scale, "page", page, "n", frames, READ, NULL);
	case CT_GIF: return vips_gifload_buffer(data, size, out, "page", page, "n", frames, READ, NULL);
	case CT_HEIF: return vips_heifload_buffer(data, size, out, READ, NULL);
	case CT_TIFF: return vips_tiffload_buffer(data, size, out, "page", page, READ, NULL);
	}
	vips_error("calotype", "no loader %d", format);
	return -1;
}

#if VIPS_MAJOR_VERSION > 8 || VIPS_MINOR_VERSION >= 15
#define STRIP "keep", o->keep ? VIPS_FOREIGN_KEEP_ALL : o->profile ? VIPS_FOREIGN_KEEP_ICC : VIPS_FOREIGN_KEEP_NONE
#else
#define STRIP "strip", !o->keep && !o->profile
#endif

#if VIPS_MAJOR_VERSION > 8 || VIPS_MINOR_VERSION >= 15
#define WEBP_STOPS TRUE
#else
#define WEBP_STOPS FALSE
#endif

// A webpsave that fails leaves things behind: up to 8.14 the whole pipeline, and after that the encoder of an animation. So nothing that it
// reads fails: a still is computed beforehand, an animation comes through a gate. And it is stopped only where it cleans up.
static int save_webp(VipsImage *in, const ct_output *o, ct_reins *r, void **data, size_t *size) {
	gboolean moves = vips_image_get_page_height(in) < in->Ysize;
	VipsImage *safe;
	if (moves ? ct_gate(in, r, &safe) : ct_memory(in, &safe))
		return -1;
	ct_follow(safe, r);
	g_atomic_int_set(&r->gentle, moves || !WEBP_STOPS);
	int result = vips_webpsave_buffer(safe, data, size, "Q", o->quality, "effort", o->effort, "lossless", o->lossless, STRIP, NULL);
	g_atomic_int_set(&r->gentle, 0);
	g_object_unref(safe);
	if (result == 0 && moves && g_atomic_int_get(&r->failed)) {
		g_free(*data);
		*data = NULL;
		return -1;
	}
	return result;
}

// libjxl's scale by cjxl's formula for qualities, and no further than every libjxl goes.
static double distance(int quality) {
	double d = quality >= 30 ? 0.1 + (100 - quality) * 0.09 : 53.0 / 3000 * quality * quality - 23.0 / 20 * quality + 25;
	return VIPS_CLIP(0, d, 15);
}

#define SUBSAMPLE (o->subsampled ? VIPS_FOREIGN_SUBSAMPLE_ON : VIPS_FOREIGN_SUBSAMPLE_OFF)

int ct_save(VipsImage *in, const ct_output *o, ct_reins *r, void **data, size_t *size) {
	switch (o->format) {
	case CT_JPEG: return vips_jpegsave_buffer(in, data, size, "Q", o->quality, "optimize_coding", TRUE,
			"interlace", o->progressive, "subsample_mode", SUBSAMPLE, STRIP, NULL);
	case CT_PNG:
		if (o->palette)
			return vips_pngsave_buffer(in, data, size, "palette", TRUE, "effort", o->effort, "compression", 6, "interlace", o->progressive, STRIP, NULL);
		return vips_pngsave_buffer(in, data, size, "compression", o->effort, "interlace", o->progressive, STRIP, NULL);
	case CT_WEBP: return save_webp(in, o, r, data, size);
	case CT_GIF: return vips_gifsave_buffer(in, data, size, "effort", o->effort, "reuse", TRUE, STRIP, NULL);
	case CT_HEIF:
		return vips_heifsave_buffer(in, data, size, "compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1, "Q", o->quality,
			"effort", o->effort, "lossless", o->lossless, "bitdepth", 8, "subsample_mode", SUBSAMPLE, STRIP, NULL);
	case CT_TIFF: return vips_tiffsave_buffer(in, data, size, "compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE,
			"predictor", VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL, STRIP, NULL);
	case CT_JXL: return vips_jxlsave_buffer(in, data, size, "distance", distance(o->quality), "effort", o->effort, "lossless", o->lossless, STRIP, NULL);
	}
	vips_error("calotype", "no saver %d", o->format);
	return -1;
}

int ct_black(int w, int h, VipsImage **out) {
	VipsImage *black;
	if (vips_black(&black, w, h, "bands", 3, NULL))
		return -1;
	int r = vips_copy(black, out, "interpretation", VIPS_INTERPRETATION_sRGB, NULL);
	g_object_unref(black);
	return r;
}

int ct_label(VipsImage *in, VipsInterpretation as, VipsImage **out) { return vips_copy(in, out, "interpretation", as, NULL); }

int ct_page_height(VipsImage *in, int height, VipsImage **out) {
	if (vips_copy(in, out, NULL))
		return -1;
	vips_image_set_int(*out, VIPS_META_PAGE_HEIGHT, height);
	return 0;
}

// What a result needs to be what it is; everything else tells of the original.
static const char *const needed[] = {VIPS_META_PAGE_HEIGHT, VIPS_META_N_PAGES, "delay", "loop", "gif-palette", VIPS_META_SEQUENTIAL};

// What is kept when somebody asks for it.
static const char *const wanted[] = {VIPS_META_EXIF_NAME, VIPS_META_XMP_NAME, VIPS_META_IPTC_NAME, VIPS_META_ICC_NAME};

static gboolean listed(const char *name, const char *const *list, size_t n) {
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return TRUE;
	return FALSE;
}

typedef struct {
	VipsImage *image;
	gboolean keep, profile;
} cleaning;

static void *clean_field(VipsImage *in, const char *name, GValue *value, void *data) {
	cleaning *c = data;
	(void) in, (void) value;
	gboolean stays = listed(name, needed, G_N_ELEMENTS(needed)) ||
		(c->keep && (listed(name, wanted, G_N_ELEMENTS(wanted)) || g_str_has_prefix(name, "exif-")));
	if (!stays || g_str_has_suffix(name, "-Orientation") || (!c->profile && strcmp(name, VIPS_META_ICC_NAME) == 0))
		vips_image_remove(c->image, name);
	return NULL;
}

int ct_clean(VipsImage *in, int keep, int profile, VipsImage **out) {
	if (keep ? vips_copy(in, out, NULL) : vips_copy(in, out, "xres", 72 / 25.4, "yres", 72 / 25.4, NULL))
		return -1;
	cleaning c = {*out, keep, profile};
	vips_image_map(in, clean_field, &c);
	return 0;
}

// What is read of an original on the way to its pixels' last form.
static const char *const used[] = {VIPS_META_ORIENTATION, VIPS_META_ICC_NAME, VIPS_META_RESOLUTION_UNIT};

static void *list_field(VipsImage *in, const char *name, GValue *value, void *data) {
	GSList **list = data;
	(void) in, (void) value;
	if (!listed(name, needed, G_N_ELEMENTS(needed)) && !listed(name, used, G_N_ELEMENTS(used)))
		*list = g_slist_prepend(*list, g_strdup(name));
	return NULL;
}

void ct_forget(VipsImage *image) {
	GSList *list = NULL;
	vips_image_map(image, list_field, &list);
	for (GSList *at = list; at; at = at->next)
		vips_image_remove(image, at->data);
	g_slist_free_full(list, g_free);
}

int ct_memory(VipsImage *in, VipsImage **out) { return (*out = vips_image_copy_memory(in)) ? 0 : -1; }

int ct_read(VipsImage *in) {
	double mean;
	return vips_avg(in, &mean, NULL);
}

int ct_extract(VipsImage *in, int x, int y, int w, int h, VipsImage **out) { return vips_extract_area(in, out, x, y, w, h, NULL); }

int ct_bands(VipsImage *in, int n, VipsImage **out) { return vips_extract_band(in, out, 0, "n", n, NULL); }

int ct_join(VipsImage **in, int n, VipsImage **out) { return vips_arrayjoin(in, out, n, "across", 1, NULL); }

int ct_resize(VipsImage *in, double h, double v, VipsImage **out) { return vips_resize(in, out, h, "vscale", v, NULL); }

int ct_stretch(VipsImage *in, int w, int h, VipsImage **out) {
	return vips_embed(in, out, 0, 0, w, h, "extend", VIPS_EXTEND_COPY, NULL);
}

int ct_premultiply(VipsImage *in, VipsImage **out) { return vips_premultiply(in, out, NULL); }

int ct_unpremultiply(VipsImage *in, VipsImage **out) { return vips_unpremultiply(in, out, NULL); }

int ct_cast(VipsImage *in, VipsBandFormat to, VipsImage **out) { return vips_cast(in, out, to, NULL); }

int ct_orient(VipsImage *in, VipsImage **out) { return vips_autorot(in, out, NULL); }

int ct_rotate(VipsImage *in, VipsAngle angle, VipsImage **out) { return vips_rot(in, out, angle, NULL); }

int ct_flip(VipsImage *in, VipsDirection direction, VipsImage **out) { return vips_flip(in, out, direction, NULL); }

int ct_blur(VipsImage *in, double sigma, VipsImage **out) { return vips_gaussblur(in, out, sigma, NULL); }

int ct_sharpen(VipsImage *in, double sigma, VipsImage **out) { return vips_sharpen(in, out, "sigma", sigma, NULL); }

// The means of squares, enlarged again; at the right and below, squares are filled up with the last column and row.
int ct_squares(VipsImage *in, int side, VipsImage **out) {
	int across = (in->Xsize + side - 1) / side, down = (in->Ysize + side - 1) / side;
	VipsImage *full, *means, *squares;
	if (vips_embed(in, &full, 0, 0, across * side, down * side, "extend", VIPS_EXTEND_COPY, NULL))
		return -1;
	int r = vips_shrink(full, &means, side, side, NULL);
	g_object_unref(full);
	if (r)
		return -1;
	r = vips_zoom(means, &squares, side, side, NULL);
	g_object_unref(means);
	if (r)
		return -1;
	r = vips_extract_area(squares, out, 0, 0, in->Xsize, in->Ysize, NULL);
	g_object_unref(squares);
	return r;
}

int ct_insert(VipsImage *in, VipsImage *part, int x, int y, VipsImage **out) { return vips_insert(in, part, out, x, y, NULL); }

// What is not as the left upper corner is: where that is transparent, what is less so. A picture of one colour has no content: w is 0.
int ct_content(VipsImage *in, double tolerance, int *x, int *y, int *w, int *h) {
	double *corner, clear = 0;
	int n;
	VipsImage *seen;
	if (vips_getpoint(in, &corner, &n, 0, 0, NULL))
		return -1;
	gboolean alpha = vips_image_hasalpha(in), hollow = alpha && corner[n - 1] == 0;
	if (hollow ? vips_extract_band(in, &seen, n - 1, NULL) : vips_copy(in, &seen, NULL)) {
		g_free(corner);
		return -1;
	}
	VipsArrayDouble *b = hollow ? vips_array_double_new(&clear, 1) : vips_array_double_new(corner, alpha ? n - 1 : n);
	g_free(corner);
	int r = vips_find_trim(seen, x, y, w, h, "threshold", tolerance, "background", b, NULL);
	vips_area_unref(VIPS_AREA(b));
	g_object_unref(seen);
	return r;
}

// Computes by parts of 1, and gives parts of 255.
int ct_over(VipsImage *in, VipsImage *top, int x, int y, VipsImage **out) {
	VipsImage *both;
	if (vips_composite2(in, top, &both, VIPS_BLEND_MODE_OVER, "x", x, "y", y, NULL))
		return -1;
	int r = vips_cast(both, out, VIPS_FORMAT_UCHAR, NULL);
	g_object_unref(both);
	return r;
}

// Tables holds 256 bytes for each band, a byte of every band after the other.
int ct_map(VipsImage *in, const void *tables, VipsImage **out) {
	VipsImage *lut = vips_image_new_from_memory_copy(tables, (size_t) in->Bands * 256, 256, 1, in->Bands, VIPS_FORMAT_UCHAR), *mapped;
	if (!lut)
		return -1;
	int r = vips_maplut(in, &mapped, lut, NULL);
	g_object_unref(lut);
	if (r)
		return -1;
	r = vips_copy(mapped, out, "interpretation", in->Type, NULL);
	g_object_unref(mapped);
	return r;
}

// Matrix is as wide as there are bands, and as high as there will be.
int ct_mix(VipsImage *in, double *matrix, double *plus, int bands, VipsImage **out) {
	int n = in->Bands, r;
	double one[] = {1, 1, 1, 1};
	VipsImage *m = vips_image_new_matrix_from_array(n, bands, matrix, n * bands), *mixed, *added;
	if (!m)
		return -1;
	r = vips_recomb(in, &mixed, m, NULL);
	g_object_unref(m);
	if (r)
		return -1;
	r = vips_linear(mixed, &added, one, plus, bands, "uchar", TRUE, NULL);
	g_object_unref(mixed);
	if (r)
		return -1;
	r = vips_copy(added, out, "interpretation", in->Type, NULL);
	g_object_unref(added);
	return r;
}

// The crop says where it was taken by its origin.
int ct_attention(VipsImage *in, int entropy, int w, int h, int *x, int *y) {
	VipsImage *crop;
	if (vips_smartcrop(in, &crop, w, h, "interesting", entropy ? VIPS_INTERESTING_ENTROPY : VIPS_INTERESTING_ATTENTION, NULL))
		return -1;
	*x = -vips_image_get_xoffset(crop);
	*y = -vips_image_get_yoffset(crop);
	g_object_unref(crop);
	return 0;
}

int ct_embed(VipsImage *in, int x, int y, int w, int h, double *background, int n, VipsImage **out) {
	VipsArrayDouble *b = vips_array_double_new(background, n);
	int r = vips_embed(in, out, x, y, w, h, "extend", VIPS_EXTEND_BACKGROUND, "background", b, NULL);
	vips_area_unref(VIPS_AREA(b));
	return r;
}

int ct_flatten(VipsImage *in, double *background, int n, VipsImage **out) {
	VipsArrayDouble *b = vips_array_double_new(background, n);
	int r = vips_flatten(in, out, "background", b, NULL);
	vips_area_unref(VIPS_AREA(b));
	return r;
}

int ct_addalpha(VipsImage *in, VipsImage **out) { return vips_addalpha(in, out, NULL); }

int ct_colourspace(VipsImage *in, VipsInterpretation space, VipsImage **out) { return vips_colourspace(in, out, space, NULL); }
