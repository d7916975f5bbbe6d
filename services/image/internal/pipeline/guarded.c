#include "guarded.h"

void ct_allow(const char *loader) { vips_operation_block_set(loader, FALSE); }

int ct_draw(int format, void *data, size_t size, double scale, int page, VipsImage **out) {
	if (format == CT_SVG)
		return vips_svgload_buffer(data, size, out, "scale", scale, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
	return vips_pdfload_buffer(data, size, out, "scale", scale, "page", page, "n", 1, "access", VIPS_ACCESS_SEQUENTIAL, NULL);
}

// Takes the reference to in, whatever comes of it.
#define THEN(in, call) do { int r = (call); g_object_unref(in); if (r) return -1; } while (0)

int ct_bitmap(void *rows, int w, int h, int stride, int bytes, int down, VipsImage **out) {
	VipsImage *raw = vips_image_new_from_memory(rows, (size_t) stride * h, stride, h, 1, VIPS_FORMAT_UCHAR), *cut, *folded, *band[3], *rgb, *upright;
	if (!raw)
		return -1;
	THEN(raw, vips_extract_area(raw, &cut, 0, 0, w * bytes, h, NULL));
	THEN(cut, vips_bandfold(cut, &folded, "factor", bytes, NULL));
	for (int i = 0; i < 3; i++)
		if (vips_extract_band(folded, &band[i], 2 - i, NULL)) {
			while (i--)
				g_object_unref(band[i]);
			g_object_unref(folded);
			return -1;
		}
	g_object_unref(folded);
	int r = vips_bandjoin(band, &rgb, 3, NULL);
	for (int i = 0; i < 3; i++)
		g_object_unref(band[i]);
	if (r)
		return -1;
	if (down)
		upright = rgb;
	else
		THEN(rgb, vips_flip(rgb, &upright, VIPS_DIRECTION_VERTICAL, NULL));
	THEN(upright, vips_copy(upright, out, "interpretation", VIPS_INTERPRETATION_sRGB, NULL));
	return 0;
}
