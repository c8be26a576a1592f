// SPDX-License-Identifier: BSD-3-Clause
/*
 * hol-demo: why streams matter. Two experiments in a simulated network, as tables, as JSON and as a
 * picture; see --help.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hol/picture.h"
#include "hol/run.h"
#include "sim/env.h"

#define MAX_PAGES 10000
#define MS(ns)	  ((double)(ns) / (double)QL_NSEC_PER_MSEC)
#define RATE	  ((double)HOL_RATE / 1e6)

static struct {
	uint64_t seed;
	unsigned int pages;
	const char *svg;
	bool json;
} options = {.seed = 1, .pages = 100};

static void usage(FILE *out)
{
	fprintf(out,
		"usage: hol-demo [OPTION...]\n\n"
		"What a lost packet delays: the messages on one QUIC stream, or all that come "
		"behind it\non one ordered byte stream. It makes %u calls and loses a packet of "
		"call %u; then it\nfetches %u resources while 0, 1 and 2 %% of all packets are "
		"lost, with each congestion\ncontroller. Both ways go through the same simulated "
		"network, by real engines.\n\n"
		"  --json        the figures as JSON instead of tables\n"
		"  --svg FILE    draw a picture as well\n"
		"  --pages N     how often the %u resources are fetched for each figure [100]\n"
		"  --seed N      of all that is random: the same one, the same figures [1]\n"
		"  --help        this text\n",
		HOL_CALLS, HOL_LOST, HOL_RESOURCES, HOL_RESOURCES);
}

static uint64_t number(const char *option, const char *text, uint64_t min, uint64_t max)
{
	uint64_t v;
	char *end;

	errno = 0;
	v = strtoull(text, &end, 10);
	if (errno || end == text || *end || strchr(text, '-') || v < min || v > max)
		errx(2, "--%s %s: expected a number from %llu to %llu", option, text,
		     (unsigned long long)min, (unsigned long long)max);
	return v;
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{"json", no_argument, NULL, 'j'},	 {"svg", required_argument, NULL, 's'},
		{"pages", required_argument, NULL, 'p'}, {"seed", required_argument, NULL, 'r'},
		{"help", no_argument, NULL, 'h'},	 {NULL, 0, NULL, 0},
	};
	int o;

	while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (o) {
		case 'j':
			options.json = true;
			break;
		case 's':
			options.svg = optarg;
			break;
		case 'p':
			options.pages = (unsigned int)number("pages", optarg, 1, MAX_PAGES);
			break;
		case 'r':
			options.seed = number("seed", optarg, 0, UINT64_MAX);
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			fprintf(stderr, "hol-demo --help says more\n");
			exit(2);
		}
	}
	if (optind < argc)
		errx(2, "'%s' is no option; --help says more", argv[optind]);
}

/* ---- Tables ---- */

static void print_calls(const struct hol_calls *calls)
{
	printf("%u calls of %s, %.0f ms apart, round trip %.0f ms. The packet with the answer to\n"
	       "call %u is lost. When each answer arrives, ms since the first call:\n\n"
	       "             QUIC streams                 one ordered byte stream\n"
	       "call   no loss     loss      late        no loss     loss      late\n",
	       HOL_CALLS, HOL_QUESTION, MS(HOL_CALL_GAP), MS(HOL_RTT), HOL_LOST);
	for (unsigned int i = 0; i < HOL_CALLS; i++) {
		printf("%4u", i + 1);
		for (enum hol_way way = 0; way < HOL_WAYS; way++) {
			uint64_t due = calls->at[way][0][i], came = calls->at[way][1][i];

			printf("%s%9.3f%9.3f", way == HOL_STREAMS ? " " : "      ", MS(due),
			       MS(came));
			if (came == due)
				printf("%10s", "-");
			else
				printf("%10.3f", MS(came) - MS(due));
		}
		printf("\n");
	}
}

static void print_page(const struct hol_page *page)
{
	unsigned int best = hol_best(page);

	printf("\n%u resources of %u kB, asked for at once, round trip %.0f ms, %.0f Mbit/s, "
	       "packets "
	       "lost at\n"
	       "random both ways. ms until a resource is complete, of %u pages; in brackets how "
	       "far "
	       "a\nmedian is above that without loss:\n\n"
	       "                       QUIC streams             one ordered byte stream\n"
	       "           loss     median          99th %%       median          99th %%\n",
	       HOL_RESOURCES, HOL_PAGE_BYTES / 1000, MS(HOL_RTT), RATE, options.pages);
	for (unsigned int k = 0; k < HOL_CONTROLLERS; k++) {
		for (unsigned int loss = 0; loss < HOL_LOSSES; loss++) {
			printf("%-10s %2u %%", loss == 0 ? hol_controller_name(k) : "", loss);
			for (enum hol_way way = 0; way < HOL_WAYS; way++) {
				const struct hol_spread *s = &page->took[k][loss][way];

				printf("%11.1f", MS(s->median));
				if (loss > 0)
					printf(" (%+4.0f %%)", hol_above(page, k, loss, way));
				else
					printf("%9s", "");
				printf("%8.1f", MS(s->p99));
			}
			printf("\n");
		}
	}
	printf("\nWith %s and 1 %% of loss the median is %.1f %% above that without over QUIC "
	       "streams,\nand %.1f %% over one ordered byte stream.\n",
	       hol_controller_name(best), hol_above(page, best, 1, HOL_STREAMS),
	       hol_above(page, best, 1, HOL_ORDERED));
	printf("\nThe ordered byte stream is one QUIC stream that carries the same messages in the "
	       "same\norder: same engines, same network, same losses by chance. Only what waits "
	       "differs.\n");
}

/* ---- JSON ---- */

static const char *const way_names[HOL_WAYS] = {"streams", "ordered"};

static void json_calls(const struct hol_calls *calls)
{
	printf("\"calls\":{\"number\":%u,\"gap_ms\":%g,\"lost\":%u,\"arrival_ms\":{", HOL_CALLS,
	       MS(HOL_CALL_GAP), HOL_LOST);
	for (enum hol_way way = 0; way < HOL_WAYS; way++) {
		printf("%s\"%s\":{", way ? "," : "", way_names[way]);
		for (unsigned int lost = 0; lost < 2; lost++) {
			printf("%s\"%s\":[", lost ? "," : "", lost ? "loss" : "no_loss");
			for (unsigned int i = 0; i < HOL_CALLS; i++)
				printf("%s%.6f", i ? "," : "", MS(calls->at[way][lost][i]));
			printf("]");
		}
		printf("}");
	}
	printf("}}");
}

static void json_page(const struct hol_page *page)
{
	unsigned int best = hol_best(page);

	printf("\"page\":{\"resources\":%u,\"bytes\":%u,\"pages\":%u,\"completion\":[",
	       HOL_RESOURCES, HOL_PAGE_BYTES, options.pages);
	for (unsigned int k = 0; k < HOL_CONTROLLERS; k++) {
		for (unsigned int loss = 0; loss < HOL_LOSSES; loss++) {
			printf("%s{\"controller\":\"%s\",\"loss_percent\":%u", k || loss ? "," : "",
			       hol_controller_name(k), loss);
			for (enum hol_way way = 0; way < HOL_WAYS; way++) {
				const struct hol_spread *s = &page->took[k][loss][way];

				printf(",\"%s\":{\"median_ms\":%.6f,\"p99_ms\":%.6f,\"median_above_"
				       "percent\":%.3f}",
				       way_names[way], MS(s->median), MS(s->p99),
				       hol_above(page, k, loss, way));
			}
			printf("}");
		}
	}
	printf("],\"best\":\"%s\"}", hol_controller_name(best));
}

static void print_json(const struct hol_calls *calls, const struct hol_page *page)
{
	printf("{\"seed\":%llu,\"rtt_ms\":%g,\"rate_mbit\":%g,", (unsigned long long)options.seed,
	       MS(HOL_RTT), RATE);
	json_calls(calls);
	printf(",");
	json_page(page);
	printf("}\n");
}

/* ---- */

static void measure(struct hol_calls *calls, struct hol_page *page)
{
	bool show = isatty(STDERR_FILENO);
	unsigned int cells = HOL_CONTROLLERS * HOL_LOSSES * HOL_WAYS;
	int rc = hol_calls(options.seed, calls);

	if (rc < 0)
		errx(1, "the calls: %s", strerror(-rc));
	for (unsigned int i = 0; i < cells; i++) {
		unsigned int k = i / (HOL_LOSSES * HOL_WAYS), loss = i / HOL_WAYS % HOL_LOSSES;
		enum hol_way way = i % HOL_WAYS;

		if (show)
			fprintf(stderr, "\r%u of %u figures, %s with %u %% of loss ... ", i, cells,
				hol_controller_name(k), loss);
		rc = hol_page(options.seed, options.pages, hol_controllers[k], loss, way,
			      &page->took[k][loss][way]);
		if (rc < 0)
			errx(1, "%s with %u %% of loss: %s", hol_controller_name(k), loss,
			     strerror(-rc));
	}
	if (show)
		fprintf(stderr, "\r%60s\r", "");
}

int main(int argc, char **argv)
{
	struct hol_calls calls;
	struct hol_page page;
	FILE *svg = NULL;

	parse(argc, argv);
	if (options.svg) { /* better now than when all is measured */
		svg = fopen(options.svg, "w");
		if (!svg)
			err(1, "--svg %s: cannot write it", options.svg);
	}
	sim_env_init();
	measure(&calls, &page);
	if (options.json) {
		print_json(&calls, &page);
	} else {
		print_calls(&calls);
		print_page(&page);
	}
	if (svg) {
		hol_picture(svg, &calls, &page, options.pages);
		if (ferror(svg) | fclose(svg))
			err(1, "--svg %s: cannot write it", options.svg);
	}
	if (fflush(stdout) != 0)
		err(1, "standard output");
	return 0;
}
