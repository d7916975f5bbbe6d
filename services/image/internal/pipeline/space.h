// Colour spaces by their profiles, which libvips brings along.
#ifndef CALOTYPE_SPACE_H
#define CALOTYPE_SPACE_H

#include <vips/vips.h>

// To 8 bits of Display P3 or of sRGB, by the embedded profile or, where there is none or it does not count, as from sRGB or CMYK.
int ct_to_space(VipsImage *in, int p3, int embedded, VipsImage **out);

// The picture says that it is in Display P3.
int ct_tag_p3(VipsImage *in, VipsImage **out);

#endif
