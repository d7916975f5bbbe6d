// What a call holds its running work by: libvips looks at it while it computes, and says there how far it is.
#ifndef CALOTYPE_REINS_H
#define CALOTYPE_REINS_H

#include <vips/vips.h>

typedef struct {
	gint pulled;  // the work is to end
	gint percent; // of what is being computed
	gint gentle;  // the saver at work must not be made to fail
	gint failed;  // a gate gave black
} ct_reins;

void ct_pull(ct_reins *r);

// Every image downstream of one that is followed is followed too.
void ct_follow(VipsImage *image, ct_reins *r);

// What comes through a gate never fails: once the work is to end, or what is behind fails, it is black, and r->failed says so.
int ct_gate(VipsImage *in, ct_reins *r, VipsImage **out);

// The bytes stay the caller's, and must outlive the source.
VipsSource *ct_bytes(const void *data, size_t size, ct_reins *r);

#endif
