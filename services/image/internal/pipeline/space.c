#include "space.h"

int ct_to_space(VipsImage *in, int p3, int embedded, VipsImage **out) {
	return vips_icc_transform(in, out, p3 ? "p3" : "srgb", "embedded", embedded,
		"input_profile", in->Type == VIPS_INTERPRETATION_CMYK ? "cmyk" : "srgb", "intent", VIPS_INTENT_PERCEPTUAL, "depth", 8, NULL);
}

int ct_tag_p3(VipsImage *in, VipsImage **out) {
	VipsBlob *profile;
	if (vips_profile_load("p3", &profile, NULL))
		return -1;
	if (vips_copy(in, out, NULL)) {
		vips_area_unref(VIPS_AREA(profile));
		return -1;
	}
	size_t size;
	const void *data = vips_blob_get(profile, &size);
	vips_image_set_blob_copy(*out, VIPS_META_ICC_NAME, data, size);
	vips_area_unref(VIPS_AREA(profile));
	return 0;
}
