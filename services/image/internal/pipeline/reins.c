#include "reins.h"

#include <string.h>

void ct_pull(ct_reins *r) { g_atomic_int_set(&r->pulled, 1); }

// Encoders that work on a whole picture at once look only at the image they made themselves for it, which nobody else gets to see:
// it is the one that the progress is of.
static void on_eval(VipsImage *image, VipsProgress *progress, ct_reins *r) {
	g_atomic_int_set(&r->percent, progress->percent);
	if (g_atomic_int_get(&r->pulled) && !g_atomic_int_get(&r->gentle)) {
		vips_image_set_kill(progress->im, TRUE);
		vips_image_set_kill(image, TRUE);
	}
}

void ct_follow(VipsImage *image, ct_reins *r) {
	if (image->progress_signal)
		return;
	vips_image_set_progress(image, TRUE);
	g_signal_connect(image, "eval", G_CALLBACK(on_eval), r);
}

static int pass(VipsRegion *out, void *seq, void *a, void *b, gboolean *stop) {
	VipsRegion *in = seq;
	ct_reins *r = b;
	VipsRect *area = &out->valid;
	(void) a, (void) stop;
	if (!g_atomic_int_get(&r->pulled) && !g_atomic_int_get(&r->failed) && vips_region_prepare(in, area) == 0)
		return vips_region_region(out, in, area, area->left, area->top);
	g_atomic_int_set(&r->failed, 1);
	vips_region_black(out);
	return 0;
}

int ct_gate(VipsImage *in, ct_reins *r, VipsImage **out) {
	*out = vips_image_new();
	g_atomic_int_set(&r->failed, 0);
	if (vips_image_pipelinev(*out, VIPS_DEMAND_STYLE_ANY, in, NULL) ||
		vips_image_generate(*out, vips_start_one, pass, vips_stop_one, in, r)) {
		g_object_unref(*out);
		*out = NULL;
		return -1;
	}
	return 0;
}

typedef struct {
	const unsigned char *data;
	gint64 size, at;
	ct_reins *reins;
} bytes;

static gint64 on_read(VipsSourceCustom *source, void *buffer, gint64 length, bytes *b) {
	(void) source;
	gint64 n = VIPS_CLIP(0, b->size - b->at, length);
	// A reader that fails aborts libheif; bytes that make no sense end every decoder.
	if (g_atomic_int_get(&b->reins->pulled))
		memset(buffer, 0, n);
	else
		memcpy(buffer, b->data + b->at, n);
	b->at += n;
	return n;
}

static gint64 on_seek(VipsSourceCustom *source, gint64 offset, int whence, bytes *b) {
	(void) source;
	gint64 to = offset + (whence == SEEK_CUR ? b->at : whence == SEEK_END ? b->size : 0);
	if (to < 0 || to > b->size)
		return -1;
	return b->at = to;
}

VipsSource *ct_bytes(const void *data, size_t size, ct_reins *r) {
	VipsSourceCustom *source = vips_source_custom_new();
	bytes *b = g_new(bytes, 1);
	*b = (bytes){data, size, 0, r};
	g_object_set_data_full(G_OBJECT(source), "calotype", b, g_free);
	g_signal_connect(source, "read", G_CALLBACK(on_read), b);
	g_signal_connect(source, "seek", G_CALLBACK(on_seek), b);
	return VIPS_SOURCE(source);
}
