#include "taps.h"

#include <string.h>

#define DOWN_SHIFT (TAPS_BITS - TAPS_KEPT)
#define ACROSS_SHIFT (TAPS_BITS + TAPS_KEPT)
#define HALF(shift) (1 << ((shift) - 1))

static void plain_down(const unsigned char *const *rows, const short *weight, int n, short *line, int from, int len) {
	for (int i = from; i < len; i++) {
		int sum = HALF(DOWN_SHIFT);
		for (int k = 0; k < n; k++)
			sum += rows[k][i] * weight[k];
		line[i] = sum >> DOWN_SHIFT;
	}
}

static void plain_across(const short *line, int bands, const int *first, int from, const short *weight, int n, unsigned char *row, int count) {
	for (int i = 0; i < count; i++, weight += n)
		for (int b = 0; b < bands; b++) {
			const short *in = line + (first[i] - from) * bands + b;
			int sum = HALF(ACROSS_SHIFT);
			for (int k = 0; k < n; k++)
				sum += in[k * bands] * weight[k];
			sum >>= ACROSS_SHIFT;
			*row++ = sum < 0 ? 0 : sum > 255 ? 255 : sum;
		}
}

#ifdef __x86_64__
#include <immintrin.h>

#define WIDE __attribute__((target("avx2")))

WIDE static int wide_down(const unsigned char *const *rows, const short *weight, int n, short *line, int len) {
	const __m256i none = _mm256_setzero_si256();
	int i = 0;
	for (; i + 32 <= len; i += 32) {
		__m256i a = _mm256_set1_epi32(HALF(DOWN_SHIFT)), b = a, c = a, d = a;
		for (int k = 0; k < n; k += 2) {
			__m256i x = _mm256_loadu_si256((const void *) (rows[k] + i)), y = _mm256_loadu_si256((const void *) (rows[k + 1] + i));
			__m256i low = _mm256_unpacklo_epi8(x, y), high = _mm256_unpackhi_epi8(x, y);
			int two;
			memcpy(&two, weight + k, sizeof two);
			__m256i w = _mm256_set1_epi32(two);
			a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_unpacklo_epi8(low, none), w));
			b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_unpackhi_epi8(low, none), w));
			c = _mm256_add_epi32(c, _mm256_madd_epi16(_mm256_unpacklo_epi8(high, none), w));
			d = _mm256_add_epi32(d, _mm256_madd_epi16(_mm256_unpackhi_epi8(high, none), w));
		}
		__m256i low = _mm256_packs_epi32(_mm256_srai_epi32(a, DOWN_SHIFT), _mm256_srai_epi32(b, DOWN_SHIFT));
		__m256i high = _mm256_packs_epi32(_mm256_srai_epi32(c, DOWN_SHIFT), _mm256_srai_epi32(d, DOWN_SHIFT));
		_mm256_storeu_si256((void *) (line + i), _mm256_permute2x128_si256(low, high, 0x20));
		_mm256_storeu_si256((void *) (line + i + 16), _mm256_permute2x128_si256(low, high, 0x31));
	}
	return i;
}

// For 3 and 4 bands: two pixels in each half, their colours beside each other.
WIDE static void wide_across(const short *line, int bands, const int *first, int from, const short *weight, int n, unsigned char *row, int count) {
	const __m256i three = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11, -1, -1, -1, -1));
	const __m256i four = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
	const __m256i spread = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
	const __m256i pairs = bands == 3 ? three : four;
	for (int i = 0; i < count; i++, weight += n, row += bands) {
		const short *in = line + (first[i] - from) * bands;
		__m256i sum = _mm256_setzero_si256();
		for (int k = 0; k < n; k += 4, in += 4 * bands) {
			__m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const void *) in)),
				_mm_loadu_si128((const void *) (in + 2 * bands)), 1);
			__m256i w = _mm256_shuffle_epi8(_mm256_broadcastq_epi64(_mm_loadl_epi64((const void *) (weight + k))), spread);
			sum = _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_shuffle_epi8(v, pairs), w));
		}
		__m128i all = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
		all = _mm_srai_epi32(_mm_add_epi32(all, _mm_set1_epi32(HALF(ACROSS_SHIFT))), ACROSS_SHIFT);
		all = _mm_packus_epi16(_mm_packs_epi32(all, all), all);
		int done = _mm_cvtsi128_si32(all);
		if (bands == 4 || i + 1 < count)
			memcpy(row, &done, 4); // a fourth byte is the next pixel's, which comes after
		else
			memcpy(row, &done, 3);
	}
}

#define IS_WIDE __builtin_cpu_supports("avx2")
#else
#define IS_WIDE 0
#define wide_down(rows, weight, n, line, len) 0
#define wide_across(line, bands, first, from, weight, n, row, count) (void) 0
#endif

void ct_taps_down(const unsigned char *const *rows, const short *weight, int n, short *line, int len) {
	plain_down(rows, weight, n, line, IS_WIDE ? wide_down(rows, weight, n, line, len) : 0, len);
}

void ct_taps_across(const short *line, int bands, const int *first, int from, const short *weight, int n, unsigned char *row, int count) {
	if (IS_WIDE && bands >= 3)
		wide_across(line, bands, first, from, weight, n, row, count);
	else
		plain_across(line, bands, first, from, weight, n, row, count);
}
