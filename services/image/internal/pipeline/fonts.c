#include "fonts.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// The declarations that are used of fontconfig's, whose ABI is stable: libvips brings the library where it can write text, and not always
// its headers.
typedef struct {
	int nfont, sfont;
	void **fonts;
} font_set;

typedef struct {
	void *(*pattern)(void);
	void *(*objects)(const char *first, ...);
	font_set *(*list)(void *config, void *pattern, void *objects);
	int (*get)(const void *pattern, const char *object, int n, unsigned char **value);
	void (*drop_pattern)(void *), (*drop_objects)(void *), (*drop_set)(font_set *);
} fontconfig;

static int load(fontconfig *f) {
	void *lib = dlopen("libfontconfig.so.1", RTLD_LAZY);
	if (!lib)
		lib = dlopen("libfontconfig.1.dylib", RTLD_LAZY);
	if (!lib)
		return -1; // never closed: what it found is of use to text, too
	*(void **) &f->pattern = dlsym(lib, "FcPatternCreate");
	*(void **) &f->objects = dlsym(lib, "FcObjectSetBuild");
	*(void **) &f->list = dlsym(lib, "FcFontList");
	*(void **) &f->get = dlsym(lib, "FcPatternGetString");
	*(void **) &f->drop_pattern = dlsym(lib, "FcPatternDestroy");
	*(void **) &f->drop_objects = dlsym(lib, "FcObjectSetDestroy");
	*(void **) &f->drop_set = dlsym(lib, "FcFontSetDestroy");
	return f->pattern && f->objects && f->list && f->get && f->drop_pattern && f->drop_objects && f->drop_set ? 0 : -1;
}

static char *join(const fontconfig *f, const font_set *set) {
	size_t size = 1, at = 0;
	unsigned char *name;
	for (int i = 0; i < set->nfont; i++)
		if (f->get(set->fonts[i], "family", 0, &name) == 0)
			size += strlen((char *) name) + 1;
	char *all = malloc(size);
	if (!all)
		return NULL;
	for (int i = 0; i < set->nfont; i++)
		if (f->get(set->fonts[i], "family", 0, &name) == 0) {
			size_t n = strlen((char *) name);
			memcpy(all + at, name, n);
			all[at + n] = '\n';
			at += n + 1;
		}
	all[at] = 0;
	return all;
}

char *ct_fonts(void) {
	fontconfig f;
	if (load(&f))
		return NULL;
	void *pattern = f.pattern(), *objects = f.objects("family", (char *) NULL);
	font_set *set = pattern && objects ? f.list(NULL, pattern, objects) : NULL;
	char *all = set ? join(&f, set) : NULL;
	if (set)
		f.drop_set(set);
	if (objects)
		f.drop_objects(objects);
	if (pattern)
		f.drop_pattern(pattern);
	return all;
}
