#ifndef CALOTYPE_FONTS_H
#define CALOTYPE_FONTS_H

// Gives the families of the machine's fonts, one a line, for free(); NULL where there is no fontconfig.
char *ct_fonts(void);

#endif
