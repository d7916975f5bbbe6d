// What is put upon a picture: other pictures, and texts.
#ifndef CALOTYPE_OVERLAY_H
#define CALOTYPE_OVERLAY_H

#include <vips/vips.h>

#include "reins.h"

typedef struct {
	int x, y;           // where its left upper corner stands
	int across, down;   // from copy to copy; 0: there is one
	int opacity;        // per cent
	int mask;           // the picture becomes as transparent as it is, and nothing else changes
} ct_place;

// The layer has 8 bits, three colours and transparency, and is in memory; the picture has 8 bits, and three colours or, for a mask, a
// transparency. Rows are made one by one, of the same row of the picture: nothing is kept.
int ct_lay(VipsImage *in, VipsImage *layer, const ct_place *at, VipsImage **out);

// Turns clockwise by any angle; the result holds all of it, and is transparent beside it. The picture is premultiplied.
int ct_turn(VipsImage *in, double degrees, VipsImage **out);

typedef struct {
	const char *text, *family; // UTF-8
	int size;                  // of the letters, in pixels
	int bold, italic;
	int align;                 // 0, 1 and 2: left, centred, right
	int wrap;                  // the width of a line, in pixels
	double color[4], back[4];  // red, green, blue and opacity, 0..1
	int padding;               // around the letters
} ct_text;

// What ct_write answers besides 0 and -1.
enum { CT_TOO_LARGE = 1, CT_STOPPED };

// Writes a text as a picture in memory with 8 bits, three colours and transparency, of w x h pixels; with more than most it is only
// measured.
int ct_write(const ct_text *t, gint64 most, ct_reins *r, int *w, int *h, VipsImage **out);

#endif
