// SPDX-License-Identifier: BSD-3-Clause
/*
 * qlane-sim: scenarios on a virtual clock, a run for each seed; see --help. Or the figures that
 * they measure, as a table.
 *
 * Seeds run in child processes, so that one that crashes or never ends is a failed seed like any
 * other, and the seeds behind it still run.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/trial.h"

#define MAX_JOBS    64
#define QLOG_MEMORY (UINT64_C(256) << 20)
#define HEAP_MIB    1024 /* for paths that hold much; what is not used takes no memory */

/* What a child tells its parent, in shared memory. */
struct job {
	pid_t pid;
	uint64_t next; /* seed to go on with, and the one that runs while busy */
	bool busy;
	uint64_t passed, failed, pairs, conns;
	uint64_t simulated; /* ns */
	uint64_t hash;	    /* of the traces of all seeds, in any order */
};

static struct {
	const char *program;
	const struct sim_scenario *scenario; /* that runs */
	uint64_t first, last;
	const char *trace, *plot, *qlog;
	unsigned int jobs, seconds;
	bool check_trace, verbose, figures, json;
} options = {.jobs = 1, .seconds = 300};

static void usage(FILE *out)
{
	fprintf(out,
		"usage: %s --scenario NAME --seeds A-B [OPTION...]\n"
		"       %s --figures [--scenario NAME] [--seeds A-B] [OPTION...]\n"
		"\n"
		"Runs a scenario for each seed from A to B, or for one seed A. The last line is\n"
		"'N passed, N failed', and the exit code is 0 when none failed.\n"
		"\n"
		"  --list          the scenarios\n"
		"  --figures       a table of what is measured, beside its bounds; by default of\n"
		"                  all scenarios that measure, with seed 1\n"
		"  --json          the same as JSON, a line for each figure; the rest goes to "
		"stderr\n"
		"  --plot FILE     draw congestion window, flight and queue of one seed, as SVG\n"
		"  --jobs N        N processes at a time [1]\n"
		"  --check-trace   run each seed twice; the traces must be the same\n"
		"  --trace FILE    write each datagram as a line of text, of all seeds\n"
		"  --qlog DIR      write what each connection does as qlog, for qvis and the like\n"
		"  --limit SECONDS what a seed may take, by the clock on the wall [300]\n"
		"  --verbose       a line for each seed, with the hash of its trace\n"
		"  --help          this text\n",
		options.program, options.program);
}

static void list(void)
{
	const struct sim_scenario *s;

	for (unsigned int i = 0; (s = sim_scenario(i)) != NULL; i++)
		printf("%-20s %s\n", s->name, s->about);
}

/* ---- A seed ---- */

/* What is not a figure, when these are for a program. */
static FILE *text_out(void)
{
	return options.json ? stderr : stdout;
}

static void run(struct sim_trial *t, uint64_t seed, FILE *trace, struct sim_plot *plot,
		struct ql_qlog *qlog)
{
	*t = (struct sim_trial){
		.seed = seed,
		.trace = trace,
		.qlog = qlog,
		.verbose = options.verbose,
		.scenario = options.scenario->name,
		.figures = options.figures ? stdout : NULL,
		.json = options.json,
		.plot = plot,
	};
	options.scenario->run(t);
}

static void print_failure(uint64_t seed, const char *why)
{
	fprintf(text_out(), "failed: %s --scenario %s --seeds %llu: %s%s\n", options.program,
		options.scenario->name, (unsigned long long)seed, why,
		options.qlog ? "" : " (add --qlog DIR to see what its connections do)");
	fflush(text_out());
}

static void run_seed(struct job *job, uint64_t seed, FILE *trace, struct ql_qlog *qlog)
{
	struct sim_plot *plot = options.plot ? sim_plot_new() : NULL;
	struct sim_trial t, again;
	int rc;

	run(&t, seed, trace, plot, qlog);
	if (plot && (rc = sim_plot_write(plot, options.plot)) < 0)
		errx(1, "%s: %s", options.plot, strerror(-rc));
	sim_plot_free(plot);
	if (options.check_trace && !t.failed) {
		run(&again, seed, NULL, NULL, NULL);
		sim_trial_check(&t, again.hash == t.hash, "another trace the second time");
	}
	if (options.verbose)
		fprintf(text_out(), "seed %llu: trace %016llx, %llu connections, %.3f s%s\n",
			(unsigned long long)seed, (unsigned long long)t.hash,
			(unsigned long long)t.conns, (double)t.simulated / (double)QL_NSEC_PER_SEC,
			t.failed ? ", failed" : "");
	if (t.failed)
		print_failure(seed, t.error);
	job->passed += !t.failed;
	job->failed += t.failed;
	job->pairs += t.pairs;
	job->conns += t.conns;
	job->simulated += t.simulated;
	job->hash += (seed | 1) * t.hash;
}

/* ---- Processes ---- */

static struct ql_qlog *open_qlog(void)
{
	const struct ql_qlog_config config = {.dir = options.qlog, .memory = QLOG_MEMORY};
	struct ql_qlog *qlog = ql_qlog_open(&config);

	if (!qlog)
		err(1, "--qlog %s", options.qlog);
	return qlog;
}

static void close_qlog(struct ql_qlog *qlog)
{
	struct ql_qlog_stats stats;
	int rc;

	ql_qlog_stats(qlog, &stats);
	if (stats.not_watched > 0 || stats.dropped > 0)
		warnx("--qlog: %llu connections and %llu events are missing",
		      (unsigned long long)stats.not_watched, (unsigned long long)stats.dropped);
	rc = ql_qlog_close(qlog);
	if (rc < 0)
		errx(1, "--qlog %s: %s", options.qlog, strerror(-rc));
}

static void child(struct job *job)
{
	struct ql_qlog *qlog = NULL;
	FILE *trace = NULL;

	if (options.trace) {
		trace = fopen(options.trace, "a");
		if (!trace)
			err(1, "%s", options.trace);
	}
	if (options.qlog)
		qlog = open_qlog();
	sim_env_init_mib(HEAP_MIB);
	while (job->next <= options.last) {
		alarm(options.seconds);
		job->busy = true;
		run_seed(job, job->next, trace, qlog);
		job->busy = false;
		job->next += options.jobs;
	}
	if (qlog)
		close_qlog(qlog);
	if (trace && fclose(trace) != 0)
		err(1, "%s", options.trace);
	fflush(stdout);
}

static void start(struct job *job)
{
	fflush(NULL);
	job->pid = fork();
	if (job->pid < 0)
		err(1, "fork");
	if (job->pid == 0) {
		child(job);
		exit(0);
	}
}

/* A child has ended. True if it has to be started again. */
static bool reap(struct job *job, int status)
{
	char why[64];

	job->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		snprintf(why, sizeof(why), "not over after %u s", options.seconds);
	else if (WIFSIGNALED(status))
		snprintf(why, sizeof(why), "%s", strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof(why), "exit code %d", WEXITSTATUS(status));
	job->failed++;
	if (!job->busy) {
		fprintf(text_out(), "failed: %s: %s\n",
			job->next > options.last ? "at the end" : "at the start", why);
		return false;
	}
	print_failure(job->next, why);
	job->busy = false;
	job->next += options.jobs;
	return job->next <= options.last;
}

/* All seeds of a scenario. */
static void run_all(struct job *all)
{
	struct job *jobs;
	unsigned int running = 0;
	int status;
	pid_t pid;

	jobs = mmap(NULL, MAX_JOBS * sizeof(*jobs), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (jobs == MAP_FAILED)
		err(1, "mmap");
	for (unsigned int i = 0; i < options.jobs; i++) {
		jobs[i].next = options.first + i;
		if (jobs[i].next <= options.last) {
			start(&jobs[i]);
			running++;
		}
	}
	while (running > 0 && (pid = wait(&status)) > 0) {
		for (unsigned int i = 0; i < options.jobs; i++) {
			if (jobs[i].pid != pid)
				continue;
			running--;
			if (reap(&jobs[i], status)) {
				start(&jobs[i]);
				running++;
			}
		}
	}
	for (unsigned int i = 0; i < options.jobs; i++) {
		all->passed += jobs[i].passed;
		all->failed += jobs[i].failed;
		all->conns += jobs[i].conns;
		all->simulated += jobs[i].simulated;
		all->hash += jobs[i].hash;
	}
	munmap(jobs, MAX_JOBS * sizeof(*jobs));
}

/* ---- The command line ---- */

static uint64_t number(const char *text, const char *option, const char *end)
{
	char *stop;
	uint64_t v;

	errno = 0;
	v = strtoull(text, &stop, 10);
	if (errno || stop == text || *text == '-' || !strchr(end, *stop))
		errx(2, "--%s %s: not a number; see --help", option, text);
	return v;
}

static const struct sim_scenario *find(const char *name)
{
	const struct sim_scenario *s;

	for (unsigned int i = 0; (s = sim_scenario(i)) != NULL; i++) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	errx(2, "no scenario '%s'; see --list", name);
}

static void parse_seeds(const char *seeds)
{
	const char *dash = strchr(seeds, '-');

	options.first = options.last = number(seeds, "seeds", "-");
	if (dash)
		options.last = number(dash + 1, "seeds", "");
	if (options.last < options.first || options.last == UINT64_MAX)
		errx(2, "--seeds %s: the first one is the smaller", seeds);
}

static void parse(int argc, char **argv)
{
	static const struct option known[] = {
		{"scenario", required_argument, NULL, 'n'}, {"seeds", required_argument, NULL, 's'},
		{"list", no_argument, NULL, 'l'},	    {"jobs", required_argument, NULL, 'j'},
		{"check-trace", no_argument, NULL, 'c'},    {"trace", required_argument, NULL, 't'},
		{"limit", required_argument, NULL, 'm'},    {"verbose", no_argument, NULL, 'v'},
		{"figures", no_argument, NULL, 'f'},	    {"json", no_argument, NULL, 'o'},
		{"plot", required_argument, NULL, 'p'},	    {"qlog", required_argument, NULL, 'q'},
		{"help", no_argument, NULL, 'h'},	    {NULL, 0, NULL, 0},
	};
	const char *name = NULL, *seeds = NULL;
	int o;

	options.program = argv[0];
	while ((o = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (o) {
		case 'n':
			name = optarg;
			break;
		case 's':
			seeds = optarg;
			break;
		case 'l':
			list();
			exit(0);
		case 'j':
			options.jobs = (unsigned int)number(optarg, "jobs", "");
			if (options.jobs < 1 || options.jobs > MAX_JOBS)
				errx(2, "--jobs %s: 1 to %d", optarg, MAX_JOBS);
			break;
		case 'c':
			options.check_trace = true;
			break;
		case 't':
			options.trace = optarg;
			break;
		case 'q':
			options.qlog = optarg;
			break;
		case 'm':
			options.seconds = (unsigned int)number(optarg, "limit", "");
			break;
		case 'v':
			options.verbose = true;
			break;
		case 'f':
			options.figures = true;
			break;
		case 'o':
			options.json = options.figures = true;
			break;
		case 'p':
			options.plot = optarg;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (optind < argc || (!options.figures && (!name || !seeds))) {
		usage(stderr);
		exit(2);
	}
	options.scenario = name ? find(name) : NULL;
	parse_seeds(seeds ? seeds : "1");
	if (options.plot && (!name || options.first != options.last))
		errx(2, "--plot is for one seed of one scenario");
}

/* The scenario, or all that measure. */
static void run_scenarios(struct job *all)
{
	unsigned int i = 0;

	if (options.scenario) {
		run_all(all);
		return;
	}
	while ((options.scenario = sim_scenario(i++)) != NULL) {
		if (options.scenario->figures)
			run_all(all);
	}
}

int main(int argc, char **argv)
{
	struct timespec begin, end;
	struct job all = {0};
	double seconds;

	parse(argc, argv);
	if (options.trace)
		unlink(options.trace);
	if (options.figures && !options.json)
		sim_figures_head(stdout);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	run_scenarios(&all);
	clock_gettime(CLOCK_MONOTONIC, &end);
	seconds = (double)(end.tv_sec - begin.tv_sec) +
		  (double)(end.tv_nsec - begin.tv_nsec) / (double)QL_NSEC_PER_SEC;
	fprintf(text_out(),
		"%llu connections, %.0f s simulated in %.1f s, %.0f connections a second, trace "
		"%016llx\n",
		(unsigned long long)all.conns, (double)all.simulated / (double)QL_NSEC_PER_SEC,
		seconds, (double)all.conns / seconds, (unsigned long long)all.hash);
	fprintf(text_out(), "%llu passed, %llu failed\n", (unsigned long long)all.passed,
		(unsigned long long)all.failed);
	return all.failed > 0 || all.passed == 0;
}
