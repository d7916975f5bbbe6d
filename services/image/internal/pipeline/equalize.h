// The equalising of lightness: libvips has it for each band by itself only, which shifts colours.
#ifndef CALOTYPE_EQUALIZE_H
#define CALOTYPE_EQUALIZE_H

#include <vips/vips.h>

// Pictures have 8 bits, and 1 to 4 bands.

// Counts the pixels of each lightness, in parts of 255 of a pixel where it is transparent. All of the picture is read.
int ct_lightness(VipsImage *in, guint64 counts[256]);
// Makes each pixel lighter or darker, all its colours by as much, as a table of what lightness becomes says.
int ct_relight(VipsImage *in, const guint8 table[256], VipsImage **out);

#endif
