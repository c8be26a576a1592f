// SPDX-License-Identifier: BSD-3-Clause
#include "hol/picture.h"

#include <math.h>

#define WIDTH  960
#define HEIGHT 832
#define MARGIN 40

/* The two panels of calls: time goes to the right, a row for each call. */
#define CALLS_TOP   118
#define CALLS_ROW   22
#define CALLS_WIDTH 400
#define CALLS_GAP   (WIDTH - 2 * MARGIN - 2 * CALLS_WIDTH)
#define CALLS_LEFT  26	 /* of it for the numbers */
#define CALLS_SPAN  120. /* ms */
#define CALLS_END   (CALLS_TOP + HOL_CALLS * CALLS_ROW + 8)

/* The three panels of pages: time goes up, on a logarithmic scale. */
#define PAGE_TOP   538
#define PAGE_END   742
#define PAGE_WIDTH 262
#define PAGE_GAP   ((WIDTH - 2 * MARGIN - PAGE_AXIS - HOL_CONTROLLERS * PAGE_WIDTH) / 2)
#define PAGE_AXIS  46
#define PAGE_LEAST 200. /* ms; what is beyond is drawn at the edge */
#define PAGE_MOST  5000.

#define MS(ns) ((double)(ns) / (double)QL_NSEC_PER_MSEC)

/* s: streams, o: ordered; light, and dark where the viewer's page is. */
static const char style[] =
	"<style>\n"
	"text{font-family:Helvetica,Arial,sans-serif;font-size:13px;fill:#3d4b5a}\n"
	".bg{fill:#ffffff}.panel{fill:#f5f7fa}\n"
	".h{font-size:20px;font-weight:bold;fill:#16202b}\n"
	".p{font-size:15px;font-weight:bold}\n"
	"text.s{fill:#1a66b0}text.o{fill:#b8470f}.m{text-anchor:middle}.e{text-anchor:end}\n"
	".n{font-size:12px}\n"
	".grid{stroke:#dce2e9;stroke-width:1}\n"
	".wait{stroke:#aab6c3;stroke-width:2}\n"
	".late{stroke:#cf2e2e;stroke-width:4;stroke-linecap:round}\n"
	".on{fill:#1d8a4e}.off{fill:#cf2e2e}.due{fill:none;stroke:#cf2e2e;stroke-width:1.6}\n"
	".x{stroke:#cf2e2e;stroke-width:2.4;fill:none}\n"
	"line.s,circle.s{stroke:#1a66b0;fill:#1a66b0}line.o,circle.o{stroke:#d9651c;fill:#d9651c}\n"
	".range{stroke-width:7;stroke-opacity:.38}.cap{stroke-width:2.4}\n"
	"@media (prefers-color-scheme:dark){\n"
	"text{fill:#b3bfcc}.bg{fill:#0f151c}.panel{fill:#18212b}.h{fill:#eef3f8}\n"
	"text.s{fill:#6cb2ff}text.o{fill:#ff9d57}.grid{stroke:#2c3844}.wait{stroke:#5d6b7a}\n"
	".late{stroke:#ff6b64}.on{fill:#4fcf8a}.off{fill:#ff6b64}.due,.x{stroke:#ff6b64}\n"
	"line.s,circle.s{stroke:#6cb2ff;fill:#6cb2ff}line.o,circle.o{stroke:#ff9d57;fill:#ff9d57}\n"
	"}\n"
	"</style>\n";

static void line(FILE *f, const char *class, double x1, double y1, double x2, double y2)
{
	fprintf(f, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class,
		x1, y1, x2, y2);
}

static void dot(FILE *f, const char *class, double x, double y, double r)
{
	fprintf(f, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>\n", class, x, y, r);
}

static void panel(FILE *f, double x, double y, double width, double height)
{
	fprintf(f,
		"<rect class=\"panel\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
		"rx=\"6\"/>\n",
		x, y, width, height);
}

/* The text itself follows, and "</text>". */
static FILE *text(FILE *f, const char *class, double x, double y)
{
	fprintf(f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, x, y);
	return f;
}

/* ---- Ten calls ---- */

static double calls_x(double left, double ms)
{
	double x = ms < CALLS_SPAN ? ms / CALLS_SPAN : 1;

	return left + CALLS_LEFT + x * (CALLS_WIDTH - CALLS_LEFT - 14);
}

static void calls_row(FILE *f, double left, unsigned int i, uint64_t due, uint64_t came)
{
	double y = CALLS_TOP + (i + 0.5) * CALLS_ROW + 4;
	double called = calls_x(left, MS(i * HOL_CALL_GAP)), at = calls_x(left, MS(came));
	double expected = calls_x(left, MS(due));

	fprintf(text(f, "n e", left + CALLS_LEFT - 8, y + 4), "%u</text>\n", i + 1);
	line(f, "wait", called, y, expected, y);
	line(f, "wait", called, y - 4, called, y + 4);
	if (i + 1 == HOL_LOST) {
		double x = calls_x(left, MS(i * HOL_CALL_GAP + HOL_RTT / 2));

		fprintf(f, "<path class=\"x\" d=\"M%.1f %.1fl10 10m0 -10l-10 10\"/>\n", x - 5,
			y - 5);
	}
	if (came != due) {
		line(f, "late", expected + 5, y, at, y);
		dot(f, "due", expected, y, 4.2);
	}
	dot(f, came == due ? "on" : "off", at, y, 5.5);
}

static void calls_panel(FILE *f, const struct hol_calls *calls, enum hol_way way)
{
	static const char *const names[HOL_WAYS] = {"QUIC streams", "One ordered byte stream"};
	double left = MARGIN + way * (CALLS_WIDTH + CALLS_GAP);
	unsigned int late = 0;

	for (unsigned int i = 0; i < HOL_CALLS; i++)
		late += calls->at[way][1][i] != calls->at[way][0][i];
	fprintf(text(f, way == HOL_STREAMS ? "p s" : "p o", left, CALLS_TOP - 10), "%s</text>\n",
		names[way]);
	fprintf(text(f, "e", left + CALLS_WIDTH, CALLS_TOP - 10), "%u of %u answers late</text>\n",
		late, HOL_CALLS);
	panel(f, left, CALLS_TOP, CALLS_WIDTH, CALLS_END - CALLS_TOP);
	for (double ms = 0; ms <= CALLS_SPAN; ms += 20) {
		line(f, "grid", calls_x(left, ms), CALLS_TOP, calls_x(left, ms), CALLS_END);
		fprintf(text(f, "n m", calls_x(left, ms), CALLS_END + 16), "%.0f</text>\n", ms);
	}
	for (unsigned int i = 0; i < HOL_CALLS; i++)
		calls_row(f, left, i, calls->at[way][0][i], calls->at[way][1][i]);
}

static void draw_calls(FILE *f, const struct hol_calls *calls)
{
	double y = CALLS_END + 50, x = MARGIN + 2;

	fprintf(text(f, "h", MARGIN, 42), "One lost packet, ten calls</text>\n");
	fprintf(text(f, "", MARGIN, 66),
		"greet(&quot;Ada&quot;) is called every %.0f ms over a path with a round trip of "
		"%.0f ms. The packet with the answer to call %u is lost.</text>\n",
		MS(HOL_CALL_GAP), MS(HOL_RTT), HOL_LOST);
	for (enum hol_way way = 0; way < HOL_WAYS; way++)
		calls_panel(f, calls, way);
	fprintf(text(f, "n m", WIDTH / 2., CALLS_END + 16), "ms</text>\n");
	line(f, "wait", x, y - 9, x, y - 1);
	fprintf(text(f, "n", x + 8, y), "called</text>\n");
	fprintf(f, "<path class=\"x\" d=\"M%.1f %.1fl10 10m0 -10l-10 10\"/>\n", x + 70, y - 10);
	fprintf(text(f, "n", x + 86, y), "packet lost</text>\n");
	dot(f, "on", x + 176, y - 5, 5.5);
	fprintf(text(f, "n", x + 188, y), "arrived as if nothing had been lost</text>\n");
	dot(f, "due", x + 412, y - 5, 4.2);
	line(f, "late", x + 417, y - 5, x + 436, y - 5);
	dot(f, "off", x + 436, y - 5, 5.5);
	fprintf(text(f, "n", x + 450, y), "due, and arrived</text>\n");
}

/* ---- Fifty resources ---- */

static double page_y(double ms)
{
	double y = log(ms / PAGE_LEAST) / log(PAGE_MOST / PAGE_LEAST);

	y = y < 0 ? 0 : y > 1 ? 1 : y;
	return PAGE_END - y * (PAGE_END - PAGE_TOP);
}

static void spread(FILE *f, double x, enum hol_way way, const struct hol_spread *s)
{
	double median = page_y(MS(s->median)), p99 = page_y(MS(s->p99));
	bool left = way == HOL_STREAMS;

	line(f, left ? "range s" : "range o", x, median, x, p99);
	line(f, left ? "cap s" : "cap o", x - 7, p99, x + 7, p99);
	dot(f, left ? "s" : "o", x, median, 5);
	fprintf(text(f, left ? "n s e" : "n o", left ? x - 8 : x + 8, median + 4), "%.0f</text>\n",
		MS(s->median));
}

static void page_panel(FILE *f, const struct hol_page *page, unsigned int k)
{
	static const double ticks[] = {200, 500, 1000, 2000, 5000};
	double left = MARGIN + PAGE_AXIS + k * (PAGE_WIDTH + PAGE_GAP), x;

	fprintf(text(f, "p", left, PAGE_TOP - 12), "%s</text>\n", hol_controller_name(k));
	panel(f, left, PAGE_TOP - 4, PAGE_WIDTH, PAGE_END - PAGE_TOP + 8);
	for (unsigned int i = 0; i < sizeof(ticks) / sizeof(ticks[0]); i++) {
		line(f, "grid", left, page_y(ticks[i]), left + PAGE_WIDTH, page_y(ticks[i]));
		if (k == 0)
			fprintf(text(f, "n e", left - 8, page_y(ticks[i]) + 4), "%.0f</text>\n",
				ticks[i]);
	}
	for (unsigned int loss = 0; loss < HOL_LOSSES; loss++) {
		x = left + 44 + 84 * loss;
		for (enum hol_way way = 0; way < HOL_WAYS; way++)
			spread(f, x + (way == HOL_STREAMS ? -8 : 8), way,
			       &page->took[k][loss][way]);
		fprintf(text(f, "n m", x, PAGE_END + 22), "%u %% lost</text>\n", loss);
	}
}

static void draw_page(FILE *f, const struct hol_page *page, unsigned int runs)
{
	double y = HEIGHT - 26, x = MARGIN;

	fprintf(text(f, "h", MARGIN, PAGE_TOP - 76), "Fifty resources, packets lost at "
						     "random</text>\n");
	fprintf(text(f, "", MARGIN, PAGE_TOP - 52),
		"Of %u kB each, asked for at once over %.0f Mbit/s: how long each takes to be "
		"complete, of %u pages, by congestion controller.</text>\n",
		HOL_PAGE_BYTES / 1000, (double)HOL_RATE / 1e6, runs);
	for (unsigned int k = 0; k < HOL_CONTROLLERS; k++)
		page_panel(f, page, k);
	fprintf(text(f, "n e", MARGIN + PAGE_AXIS - 8, PAGE_TOP - 12), "ms</text>\n");
	dot(f, "s", x + 5, y - 5, 5);
	fprintf(text(f, "n s", x + 16, y), "QUIC streams</text>\n");
	dot(f, "o", x + 121, y - 5, 5);
	fprintf(text(f, "n o", x + 132, y), "one ordered byte stream</text>\n");
	fprintf(text(f, "n", x + 300, y), "dot and number: median; bar: up to the 99th percentile; "
					  "the scale is logarithmic</text>\n");
}

void hol_picture(FILE *out, const struct hol_calls *calls, const struct hol_page *page,
		 unsigned int runs)
{
	fprintf(out,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"When messages arrive over QUIC "
		"streams and over one ordered byte stream\">\n%s"
		"<rect class=\"bg\" width=\"%d\" height=\"%d\" rx=\"8\"/>\n",
		WIDTH, HEIGHT, WIDTH, HEIGHT, style, WIDTH, HEIGHT);
	draw_calls(out, calls);
	draw_page(out, page, runs);
	fprintf(out, "</svg>\n");
}
