// SPDX-License-Identifier: BSD-3-Clause
#include "sim/figures.h"

#include <stdarg.h>

#include "sim/trial.h"

static const char *const kinds[] = {
	[SIM_AT_MOST] = "at most",
	[SIM_AT_LEAST] = "at least",
	[SIM_BESIDE] = "beside",
	[SIM_ABOUT] = "",
};

void sim_figures_head(FILE *out)
{
	fprintf(out, "%-20s %-44s %10s %-8s %-19s %s\n", "scenario", "what", "figure", "", "bound",
		"of whom");
	fflush(out);
}

/* Four digits that matter, and no exponent. */
static const char *text(char s[32], double v)
{
	snprintf(s, 32, "%.*f", v >= 1000 ? 0 : v >= 100 ? 1 : v >= 10 ? 2 : 3, v);
	return s;
}

void sim_trial_figure(struct sim_trial *t, double value, const char *unit, enum sim_bound kind,
		      double bound, const char *whose, const char *format, ...)
{
	bool met = kind == SIM_AT_MOST ? value <= bound : kind != SIM_AT_LEAST || value >= bound;
	char what[96], number[32], limit[32] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	text(number, value);
	if (kind != SIM_ABOUT)
		text(limit, bound);
	sim_trial_check(t, met, "%s: %s %s, not %s %s", what, number, unit, kinds[kind], limit);
	if (!t->figures)
		return;
	/* No text here needs to be escaped. */
	if (t->json)
		fprintf(t->figures,
			"{\"scenario\":\"%s\",\"seed\":%llu,\"what\":\"%s\",\"figure\":%s,"
			"\"unit\":\"%s\",\"bound\":%s,\"kind\":\"%s\",\"whose\":\"%s\","
			"\"met\":%s}\n",
			t->scenario, (unsigned long long)t->seed, what, number, unit,
			kind == SIM_ABOUT ? "null" : limit, kinds[kind], whose,
			met ? "true" : "false");
	else
		fprintf(t->figures, "%-20s %-44s %10s %-8s %-8s %10s %s%s\n", t->scenario, what,
			number, unit, kinds[kind], limit, whose, met ? "" : "  MISSED");
	fflush(t->figures);
}
