// SPDX-License-Identifier: BSD-3-Clause
/*
 * What hol-demo has measured, as a picture: SVG for light and dark backgrounds, without anything
 * from elsewhere.
 */
#ifndef QL_APP_HOL_PICTURE_H
#define QL_APP_HOL_PICTURE_H

#include <stdio.h>

#include "hol/run.h"

/* Errors show by ferror(out). runs: pages of each cell. */
void hol_picture(FILE *out, const struct hol_calls *calls, const struct hol_page *page,
		 unsigned int runs);

#endif
