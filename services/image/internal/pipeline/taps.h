// The inner loops of resizing: sums of weighted bytes.
#ifndef CALOTYPE_TAPS_H
#define CALOTYPE_TAPS_H

#define TAPS_BITS 14 // a weight of 1 is TAPS_ONE, and no weight is larger than a short can be
#define TAPS_ONE (1 << TAPS_BITS)
#define TAPS_KEPT 6    // bits below a whole step of colour that are kept between the directions
#define TAPS_BEYOND 16 // shorts behind a line that may be read, though they count nothing

// Sums n rows, n even, into a line of len colours.
void ct_taps_down(const unsigned char *const *rows, const short *weight, int n, short *line, int len);

// Sums the pixels of a line, n by n, n by fours, into a row of count pixels. The line begins at the pixel from, the sum of pixel i at the pixel first[i].
void ct_taps_across(const short *line, int bands, const int *first, int from, const short *weight, int n, unsigned char *row, int count);

#endif
