// SPDX-License-Identifier: BSD-3-Clause
#include "sim/script.h"

#include <err.h>
#include <stdlib.h>

struct step {
	struct sim *sim;
	struct sim_script *script;
	struct sim_event event;
	uint64_t before;    /* the value to go back to */
	unsigned int began; /* the how manieth that did, from 1 on; 0: not yet, or over */
};

struct sim_script {
	struct step steps[SIM_EVENTS];
	unsigned int begun;
};

/* Set a property and return what it was. */
static uint64_t set(struct sim_link *l, enum sim_event_kind kind, uint64_t value)
{
	unsigned int *chance;
	uint64_t before;

	switch (kind) {
	case SIM_EVENT_RATE:
		before = l->rate;
		l->rate = value;
		return before;
	case SIM_EVENT_DELAY:
		before = l->delay;
		l->delay = value;
		return before;
	case SIM_EVENT_DOWN:
		before = l->down;
		l->down = value != 0;
		return before;
	case SIM_EVENT_ECN:
		before = l->ecn;
		l->ecn = (enum sim_ecn)value;
		return before;
	case SIM_EVENT_BURST:
		chance = &l->burst_begin;
		l->burst_length = 20 * QL_NSEC_PER_MSEC;
		l->burst_loss = SIM_MILLION * 9 / 10;
		break;
	case SIM_EVENT_REORDER:
		chance = &l->reorder;
		l->reorder_delay = 20 * QL_NSEC_PER_MSEC;
		break;
	case SIM_EVENT_MTU:
		chance = &l->mtu;
		break;
	case SIM_EVENT_LOSS:
		chance = &l->loss;
		break;
	case SIM_EVENT_CORRUPT:
		chance = &l->corrupt;
		break;
	case SIM_EVENT_DUPLICATE:
		chance = &l->duplicate;
		break;
	case SIM_EVENT_MARK:
		chance = &l->mark;
		break;
	default:
		errx(1, "no event of kind %d", (int)kind);
	}
	before = *chance;
	*chance = (unsigned int)value;
	return before;
}

/* Of others that change the same, the first that began after this one and is not over. */
static struct step *next_of(const struct step *step)
{
	struct step *next = NULL;

	for (unsigned int i = 0; i < SIM_EVENTS; i++) {
		struct step *s = &step->script->steps[i];

		if (s->began > step->began && s->event.node == step->event.node &&
		    s->event.kind == step->event.kind && (!next || s->began < next->began))
			next = s;
	}
	return next;
}

/* Where another event lasts for longer, what was before is left to the end of that one. */
static void end(void *arg)
{
	struct step *step = arg, *next = next_of(step);

	if (next)
		next->before = step->before;
	else
		set(sim_link(step->sim, step->event.node), step->event.kind, step->before);
	step->began = 0;
}

static void begin(void *arg)
{
	struct step *step = arg;
	const struct sim_event *e = &step->event;

	step->began = ++step->script->begun;
	step->before = set(sim_link(step->sim, e->node), e->kind, e->value);
	if (e->lasts > 0)
		sim_at(step->sim, sim_now(step->sim) + e->lasts, end, step);
}

struct sim_script *sim_script_start(struct sim *s, const struct sim_event *events, unsigned int n)
{
	struct sim_script *script = calloc(1, sizeof(*script));

	if (!script || n > SIM_EVENTS)
		errx(1, "no script of %u events", n);
	for (unsigned int i = 0; i < n; i++) {
		struct step *step = &script->steps[i];

		*step = (struct step){.sim = s, .script = script, .event = events[i]};
		sim_at(s, sim_now(s) + events[i].at, begin, step);
	}
	return script;
}

void sim_script_free(struct sim_script *script)
{
	free(script);
}

const char *sim_event_name(enum sim_event_kind kind)
{
	static const char *const names[SIM_EVENT_KINDS] = {
		[SIM_EVENT_RATE] = "rate",
		[SIM_EVENT_DELAY] = "delay",
		[SIM_EVENT_DOWN] = "down",
		[SIM_EVENT_MTU] = "mtu",
		[SIM_EVENT_LOSS] = "loss",
		[SIM_EVENT_BURST] = "burst",
		[SIM_EVENT_CORRUPT] = "corrupt",
		[SIM_EVENT_REORDER] = "reorder",
		[SIM_EVENT_DUPLICATE] = "duplicate",
		[SIM_EVENT_MARK] = "mark",
		[SIM_EVENT_ECN] = "ecn",
	};

	return names[kind];
}
