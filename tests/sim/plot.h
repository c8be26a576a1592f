// SPDX-License-Identifier: BSD-3-Clause
/*
 * A drawing of how congestion control did in a trial, as SVG: for each pair of engines a panel with
 * the congestion window and what is in flight, and the queue of the link that they share.
 *
 * It looks on only: the trial goes as it does without. The number of points stays bounded; the
 * time between them doubles when there would be too many.
 */
#ifndef SIM_PLOT_H
#define SIM_PLOT_H

#include <qlane/conn.h>

#include "sim/pair.h"

struct sim_plot;

struct sim_plot *sim_plot_new(void);
void sim_plot_free(struct sim_plot *plot);

/* Another pair of engines; beyond the first 16 nothing is drawn. */
void sim_plot_begin(struct sim_plot *plot, const struct sim_pair *pair);

/* What the panel shows, at most 95 bytes without <, > and &. */
void sim_plot_title(struct sim_plot *plot, const char *title);

/*
 * Show these two connections of this node, instead of the latest one of the end that has more in
 * flight. They must live until the end.
 */
void sim_plot_flows(struct sim_plot *plot, unsigned int node, const struct ql_conn *a,
		    const struct ql_conn *b);

/* The pair is at work: look, if it is time to. */
void sim_plot_look(struct sim_plot *plot);

/* The pair is gone. */
void sim_plot_end(struct sim_plot *plot);

/* 0, or -errno. */
int sim_plot_write(const struct sim_plot *plot, const char *file);

#endif
