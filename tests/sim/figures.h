// SPDX-License-Identifier: BSD-3-Clause
/*
 * Figures that scenarios measure, each beside its bound: a trial fails when a bound is missed, and
 * the figure itself is a line of a table, for people or for programs (JSON, one object a line).
 */
#ifndef SIM_FIGURES_H
#define SIM_FIGURES_H

#include <stdio.h>

struct sim_trial;

enum sim_bound {
	SIM_AT_MOST,
	SIM_AT_LEAST,
	SIM_BESIDE, /* no bound, but what others reach: for information */
	SIM_ABOUT,  /* neither */
};

/* The table's head. */
void sim_figures_head(FILE *out);

/*
 * A figure, in a unit such as "s" or "%". whose says where the bound comes from: "own",
 * "picoquic". format and what follows say what was measured.
 */
void sim_trial_figure(struct sim_trial *t, double value, const char *unit, enum sim_bound kind,
		      double bound, const char *whose, const char *format, ...)
	__attribute__((format(printf, 7, 8)));

#endif
