#ifndef CALOTYPE_RELEASE_H
#define CALOTYPE_RELEASE_H

void ct_release(void);

#endif
