// SPDX-License-Identifier: BSD-3-Clause
#include "sim/plot.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PANELS	  16
#define POINTS	  2048 /* of a panel; even */
#define FLOWS	  2
#define FIRST_GAP QL_NSEC_PER_MSEC

#define WIDTH  960
#define HEIGHT 280 /* of a panel */
#define LEFT   90
#define RIGHT  20
#define TOP    34
#define BOTTOM 36

struct point {
	uint64_t at; /* ns since the pair's start */
	uint64_t cwnd[FLOWS], in_flight[FLOWS], queue[FLOWS];
};

struct panel {
	char title[96];
	struct point *points;
	unsigned int n;
	uint64_t start, next, gap;
	bool flows; /* of one node, which is... */
	unsigned int node;
	const struct ql_conn *flow[FLOWS];
};

struct sim_plot {
	const struct sim_pair *pair; /* at work, or NULL */
	struct panel panels[PANELS];
	unsigned int n;
};

struct sim_plot *sim_plot_new(void)
{
	struct sim_plot *plot = calloc(1, sizeof(*plot));

	if (!plot)
		err(1, "plot");
	return plot;
}

void sim_plot_free(struct sim_plot *plot)
{
	if (!plot)
		return;
	for (unsigned int i = 0; i < PANELS; i++)
		free(plot->panels[i].points);
	free(plot);
}

static struct panel *current(struct sim_plot *plot)
{
	return plot && plot->pair ? &plot->panels[plot->n - 1] : NULL;
}

void sim_plot_begin(struct sim_plot *plot, const struct sim_pair *pair)
{
	struct panel *p;

	if (!plot || plot->n == PANELS)
		return;
	p = &plot->panels[plot->n++];
	plot->pair = pair;
	p->points = calloc(POINTS, sizeof(*p->points));
	if (!p->points)
		err(1, "plot");
	p->start = p->next = sim_now(pair->sim);
	p->gap = FIRST_GAP;
}

void sim_plot_title(struct sim_plot *plot, const char *title)
{
	struct panel *p = current(plot);

	if (p)
		snprintf(p->title, sizeof(p->title), "%s", title);
}

void sim_plot_flows(struct sim_plot *plot, unsigned int node, const struct ql_conn *a,
		    const struct ql_conn *b)
{
	struct panel *p = current(plot);

	if (!p)
		return;
	p->flows = true;
	p->node = node;
	p->flow[0] = a;
	p->flow[1] = b;
}

/* Every other point goes. */
static void thin_out(struct panel *p)
{
	for (unsigned int i = 0; i < p->n / 2; i++)
		p->points[i] = p->points[2 * i];
	p->n /= 2;
	p->gap *= 2;
}

void sim_plot_look(struct sim_plot *plot)
{
	struct panel *p = current(plot);
	struct point *q;
	uint64_t now;

	if (!p || (now = sim_now(plot->pair->sim)) < p->next)
		return;
	if (p->n == POINTS)
		thin_out(p);
	q = &p->points[p->n++];
	*q = (struct point){.at = now - p->start};
	for (unsigned int i = 0; i < FLOWS; i++) {
		unsigned int node = p->flows ? p->node : i;
		const struct ql_conn *conn = p->flows ? p->flow[i] : plot->pair->app[i].conn;
		struct ql_conn_stats stats;

		q->queue[i] = sim_link_waiting(plot->pair->sim, node);
		if (!conn)
			continue;
		ql_conn_stats(conn, &stats);
		q->cwnd[i] = stats.cwnd;
		q->in_flight[i] = stats.in_flight;
	}
	p->next = now + p->gap;
}

void sim_plot_end(struct sim_plot *plot)
{
	if (plot)
		plot->pair = NULL;
}

/* ---- Drawing ---- */

/* A round number, of which at most eight make up the whole. */
static double step_of(double whole)
{
	double step = 1e-6;

	while (whole / step > 8) {
		if (whole / (step * 2) <= 8)
			return step * 2;
		if (whole / (step * 5) <= 8)
			return step * 5;
		step *= 10;
	}
	return step;
}

struct scale {
	double most_x, most_y; /* s, bytes */
	double top;
};

static double px(const struct scale *s, double x)
{
	return LEFT + x / s->most_x * (WIDTH - LEFT - RIGHT);
}

static double py(const struct scale *s, double y)
{
	return s->top + HEIGHT - BOTTOM - y / s->most_y * (HEIGHT - TOP - BOTTOM);
}

static void line(FILE *f, const struct scale *s, const struct panel *p, size_t field,
		 const char *color)
{
	fprintf(f, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"1.2\" points=\"", color);
	for (unsigned int i = 0; i < p->n; i++) {
		const struct point *q = &p->points[i];
		uint64_t v;

		memcpy(&v, (const char *)q + field, sizeof(v));
		fprintf(f, "%.1f,%.1f ", px(s, (double)q->at * 1e-9), py(s, (double)v));
	}
	fprintf(f, "\"/>\n");
}

static void key(FILE *f, double x, double y, const char *color, const char *what)
{
	fprintf(f, "<text x=\"%.0f\" y=\"%.0f\" fill=\"%s\">%s</text>\n", x, y, color, what);
}

static void axes(FILE *f, const struct scale *s, const char *unit, double per_unit)
{
	double step = step_of(s->most_y / per_unit);

	for (double v = 0; v <= s->most_y / per_unit; v += step) {
		double y = py(s, v * per_unit);

		fprintf(f,
			"<line x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n"
			"<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%g %s</text>\n",
			LEFT, WIDTH - RIGHT, y, y, LEFT - 6, y + 4, v, unit);
	}
	step = step_of(s->most_x);
	for (double v = 0; v <= s->most_x; v += step)
		fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%g s</text>\n",
			px(s, v), s->top + HEIGHT - BOTTOM + 16, v);
}

static void draw(FILE *f, const struct panel *p, double top)
{
	struct scale s = {.most_x = 1e-3, .most_y = 1000, .top = top};
	uint64_t peak[FLOWS] = {0};
	unsigned int i, one;

	for (i = 0; i < p->n; i++) {
		for (unsigned int k = 0; k < FLOWS; k++) {
			if (p->points[i].in_flight[k] > peak[k])
				peak[k] = p->points[i].in_flight[k];
		}
	}
	one = peak[1] > peak[0];
	for (i = 0; i < p->n; i++) {
		const struct point *q = &p->points[i];

		for (unsigned int k = 0; k < FLOWS; k++) {
			if (!p->flows && k != one)
				continue;
			if ((double)q->cwnd[k] > s.most_y)
				s.most_y = (double)q->cwnd[k];
			if ((double)q->queue[k] > s.most_y)
				s.most_y = (double)q->queue[k];
		}
		s.most_x = (double)q->at * 1e-9;
	}
	s.most_x = s.most_x > 1e-3 ? s.most_x : 1e-3;
	fprintf(f, "<text x=\"%d\" y=\"%.0f\" font-weight=\"bold\">%s</text>\n", LEFT, top + 18,
		p->title);
	axes(f, &s, s.most_y >= 2e6 ? "MB" : "kB", s.most_y >= 2e6 ? 1e6 : 1e3);
	if (p->flows) {
		line(f, &s, p, offsetof(struct point, queue), "#999");
		line(f, &s, p, offsetof(struct point, cwnd), "#1f5fbf");
		line(f, &s, p, offsetof(struct point, cwnd) + sizeof(uint64_t), "#c0392b");
		key(f, WIDTH - 420, top + 18, "#1f5fbf", "first cwnd");
		key(f, WIDTH - 300, top + 18, "#c0392b", "second cwnd");
	} else {
		size_t skip = one * sizeof(uint64_t);

		line(f, &s, p, offsetof(struct point, queue) + skip, "#999");
		line(f, &s, p, offsetof(struct point, in_flight) + skip, "#e08a1e");
		line(f, &s, p, offsetof(struct point, cwnd) + skip, "#1f5fbf");
		key(f, WIDTH - 420, top + 18, "#1f5fbf", "cwnd");
		key(f, WIDTH - 300, top + 18, "#e08a1e", "in flight");
	}
	key(f, WIDTH - 180, top + 18, "#777", "queue of the link");
}

int sim_plot_write(const struct sim_plot *plot, const char *file)
{
	FILE *f = fopen(file, "w");

	if (!f)
		return -errno;
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%u\" "
		"font-family=\"sans-serif\" font-size=\"12\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n",
		WIDTH, plot->n * HEIGHT);
	for (unsigned int i = 0; i < plot->n; i++)
		draw(f, &plot->panels[i], (double)i * HEIGHT);
	fprintf(f, "</svg>\n");
	return fclose(f) == 0 ? 0 : -errno;
}
