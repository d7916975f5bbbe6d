// bare is what a picture costs with libvips and nothing else: one vips_thumbnail_buffer and one save a picture, on as many threads as there are
// callers. It prints, for the pictures of one turn: how many, wall and processor time in seconds, p50 and p99 in milliseconds,
// bytes made; with no arguments, libvips' version.
//
//   bare CALLERS ROUNDS SHAPES FILE...     SHAPES: width:height:crop:suffix[options], parted by ';'; FILE ends with '!' when its
//                                          colours are to be converted
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <vips/vips.h>

typedef struct {
	char *data;
	gsize size;
	int convert;
} original;

typedef struct {
	int width, height, crop;
	char suffix[128];
} shape;

static original originals[256];
static shape shapes[16];
static int files, wanted, total, next;
static double *took;
static long long bytes;

static double seconds(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void make(const original *o, const shape *s) {
	VipsImage *small;
	void *out;
	size_t n;
	if (vips_thumbnail_buffer(o->data, o->size, &small, s->width, "height", s->height, "size", s->crop ? VIPS_SIZE_BOTH : VIPS_SIZE_DOWN,
			"crop", s->crop ? VIPS_INTERESTING_ATTENTION : VIPS_INTERESTING_NONE, "export_profile", o->convert ? "srgb" : NULL, NULL) ||
		vips_image_write_to_buffer(small, s->suffix, &out, &n, NULL))
		vips_error_exit(NULL);
	g_object_unref(small);
	g_free(out);
	__atomic_add_fetch(&bytes, n, __ATOMIC_RELAXED);
}

static void *caller(void *warm) {
	if (warm) {
		make(&originals[0], &shapes[0]);
		return NULL;
	}
	for (int i; (i = __atomic_fetch_add(&next, 1, __ATOMIC_RELAXED)) < total;) {
		double began = seconds(CLOCK_MONOTONIC);
		make(&originals[i / wanted % files], &shapes[i % wanted]);
		took[i] = seconds(CLOCK_MONOTONIC) - began;
	}
	vips_thread_shutdown();
	return NULL;
}

static void all(int callers, void *warm) {
	pthread_t threads[64];
	for (int i = 0; i < callers; i++)
		pthread_create(&threads[i], NULL, caller, warm);
	for (int i = 0; i < callers; i++)
		pthread_join(threads[i], NULL);
}

static int order(const void *a, const void *b) {
	double x = *(const double *) a, y = *(const double *) b;
	return x < y ? -1 : x > y;
}

int main(int argc, char **argv) {
	if (vips_init(argv[0]))
		vips_error_exit(NULL);
	if (argc < 5) {
		printf("%s\n", vips_version_string());
		return 0;
	}
	vips_concurrency_set(1);
	vips_cache_set_max(0);
	int callers = atoi(argv[1]), rounds = atoi(argv[2]);
	if (callers < 1 || callers > 64 || argc - 4 > 256)
		return 2;
	for (char *s = strtok(argv[3], ";"); s && wanted < 16; s = strtok(NULL, ";"), wanted++) {
		shape *to = &shapes[wanted];
		if (sscanf(s, "%d:%d:%d:%127s", &to->width, &to->height, &to->crop, to->suffix) != 4)
			return 2;
	}
	for (int i = 4; i < argc; i++) {
		char *name = argv[i], *end = name + strlen(name) - 1;
		original *o = &originals[files++];
		if ((o->convert = *end == '!'))
			*end = 0;
		if (!g_file_get_contents(name, &o->data, &o->size, NULL))
			return 2;
	}
	total = files * wanted * rounds;
	took = calloc(total, sizeof *took);
	all(callers, "");
	bytes = 0;
	double wall = seconds(CLOCK_MONOTONIC), cpu = seconds(CLOCK_PROCESS_CPUTIME_ID);
	all(callers, NULL);
	wall = seconds(CLOCK_MONOTONIC) - wall, cpu = seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	qsort(took, total, sizeof *took, order);
	printf("%d %.6f %.6f %.3f %.3f %lld\n", total, wall, cpu, took[(total - 1) / 2] * 1e3, took[(int) ((total - 1) * .99)] * 1e3, bytes);
	return 0;
}
