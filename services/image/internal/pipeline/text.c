#include "overlay.h"

#include <math.h>
#include <pango/pangocairo.h>

// Pango is called itself, and not by vips_text: that reads every text as markup, and makes its pixels before it says how many. Each
// text has a font map of its own, since one may serve one thread at a time; what costs most is fontconfig's, which is one for all.

static void quiet(const gchar *domain, GLogLevelFlags level, const gchar *message, gpointer data) {
	(void) domain, (void) level, (void) message, (void) data;
}

static PangoFontMap *fonts(void) {
	static gsize once;
	if (g_once_init_enter(&once)) {
		g_log_set_handler("Pango", G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE | G_LOG_LEVEL_INFO | G_LOG_LEVEL_DEBUG, quiet, NULL);
		g_once_init_leave(&once, 1);
	}
	return pango_cairo_font_map_new();
}

static PangoLayout *lay_out(PangoContext *context, const ct_text *t) {
	// Without hints a text is the same at every size, but for its scale.
	cairo_font_options_t *options = cairo_font_options_create();
	cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
	cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
	cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
	pango_cairo_context_set_font_options(context, options);
	cairo_font_options_destroy(options);

	PangoFontDescription *font = pango_font_description_new();
	pango_font_description_set_family(font, t->family);
	pango_font_description_set_absolute_size(font, (double) t->size * PANGO_SCALE);
	pango_font_description_set_weight(font, t->bold ? PANGO_WEIGHT_BOLD : PANGO_WEIGHT_NORMAL);
	pango_font_description_set_style(font, t->italic ? PANGO_STYLE_ITALIC : PANGO_STYLE_NORMAL);
	PangoLayout *layout = pango_layout_new(context);
	pango_layout_set_font_description(layout, font);
	pango_font_description_free(font);
	pango_layout_set_text(layout, t->text, -1);
	pango_layout_set_alignment(layout, t->align == 1 ? PANGO_ALIGN_CENTER : t->align == 2 ? PANGO_ALIGN_RIGHT : PANGO_ALIGN_LEFT);
	pango_layout_set_width(layout, t->wrap * PANGO_SCALE);
	pango_layout_set_wrap(layout, PANGO_WRAP_WORD_CHAR);
	return layout;
}

// Draws line by line, and looks in between whether it is to end.
static int draw(cairo_t *on, PangoLayout *layout, ct_reins *r) {
	PangoLayoutIter *lines = pango_layout_get_iter(layout);
	do {
		if (g_atomic_int_get(&r->pulled)) {
			pango_layout_iter_free(lines);
			return CT_STOPPED;
		}
		PangoRectangle box;
		pango_layout_iter_get_line_extents(lines, NULL, &box);
		cairo_move_to(on, (double) box.x / PANGO_SCALE, (double) pango_layout_iter_get_baseline(lines) / PANGO_SCALE);
		pango_cairo_show_layout_line(on, pango_layout_iter_get_line_readonly(lines));
	} while (pango_layout_iter_next_line(lines));
	pango_layout_iter_free(lines);
	return 0;
}

// Cairo has the colours multiplied with the opacity, and in numbers of 32 bits.
static void unpack(VipsPel *to, const unsigned char *from, int n) {
	for (int i = 0; i < n; i++) {
		guint32 p = ((const guint32 *) from)[i], a = p >> 24;
		for (int b = 0; b < 3; b++) {
			guint32 c = p >> (16 - 8 * b) & 255;
			*to++ = a ? VIPS_MIN(255, (c * 255 + a / 2) / a) : 0;
		}
		*to++ = a;
	}
}

static int picture_of(cairo_surface_t *from, int w, int h, VipsImage **out) {
	cairo_surface_flush(from);
	VipsImage *image = vips_image_new_memory();
	vips_image_init_fields(image, w, h, 4, VIPS_FORMAT_UCHAR, VIPS_CODING_NONE, VIPS_INTERPRETATION_sRGB, 1, 1);
	if (vips_image_write_prepare(image)) {
		g_object_unref(image);
		return -1;
	}
	for (int y = 0; y < h; y++)
		unpack(VIPS_IMAGE_ADDR(image, 0, y), cairo_image_surface_get_data(from) + (size_t) y * cairo_image_surface_get_stride(from), w);
	*out = image;
	return 0;
}

int ct_write(const ct_text *t, gint64 most, ct_reins *r, int *w, int *h, VipsImage **out) {
	PangoFontMap *map = fonts();
	PangoContext *context = pango_font_map_create_context(map);
	PangoLayout *layout = lay_out(context, t);
	PangoRectangle ink, box;
	pango_layout_get_extents(layout, &ink, &box); // what slants or is stacked stands out of its box
	double left = VIPS_MIN(ink.x, box.x), top = VIPS_MIN(ink.y, box.y);
	double right = VIPS_MAX((double) ink.x + ink.width, (double) box.x + box.width), bottom = VIPS_MAX((double) ink.y + ink.height, (double) box.y + box.height);
	int x = floor(left / PANGO_SCALE) - t->padding, y = floor(top / PANGO_SCALE) - t->padding;
	*w = ceil(right / PANGO_SCALE) + t->padding - x;
	*h = ceil(bottom / PANGO_SCALE) + t->padding - y;
	*w = VIPS_MAX(*w, 1);
	*h = VIPS_MAX(*h, 1);
	int result = CT_TOO_LARGE;
	if ((gint64) *w * *h <= most && *w < 32768 && *h < 32768) {
		cairo_surface_t *paper = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, *w, *h);
		cairo_t *on = cairo_create(paper);
		cairo_set_source_rgba(on, t->back[0], t->back[1], t->back[2], t->back[3]);
		cairo_paint(on);
		cairo_translate(on, -x, -y);
		cairo_set_source_rgba(on, t->color[0], t->color[1], t->color[2], t->color[3]);
		result = draw(on, layout, r);
		if (result == 0 && cairo_status(on) != CAIRO_STATUS_SUCCESS) {
			vips_error("calotype", "%s", cairo_status_to_string(cairo_status(on)));
			result = -1;
		}
		cairo_destroy(on);
		if (result == 0)
			result = picture_of(paper, *w, *h, out);
		cairo_surface_destroy(paper);
	}
	g_object_unref(layout);
	g_object_unref(context);
	g_object_unref(map);
	return result;
}
