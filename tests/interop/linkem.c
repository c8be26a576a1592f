// SPDX-License-Identifier: BSD-3-Clause
/*
 * linkem: a link between two networks, in user space, for kernels without netem.
 *
 * It makes two TUN devices and carries IP packets from one to the other. The client's network is
 * behind the first device, the server's behind the second one; the test moves the devices into the
 * namespaces where they belong. Both directions are alike: a queue of some packets, dropped at its
 * tail, in front of a line of some rate, and behind it a delay. Losses happen behind the line, so
 * that what is lost has taken its time on it.
 *
 * What is decided by chance follows from the seed and from the number of the packet in its
 * direction: the same packets meet the same fate in each run. Only UDP packets are impaired;
 * queue, rate and delay are for all.
 *
 * Rebinding is that of a NAT which forgets: from some moment on the client's packets come from
 * another port, or address, and what is sent to the one before does not arrive. Times of it, and
 * those of black holes, count from the client's first UDP packet on.
 *
 * It runs until SIGTERM or SIGINT, and then prints one line of JSON with what it did.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>
#include <linux/if.h>
#include <linux/if_tun.h>

#define MSEC	   UINT64_C(1000000)
#define SEC	   UINT64_C(1000000000)
#define NEVER	   UINT64_MAX
#define PACKET_MAX 65535
#define HELD_MAX   65536 /* packets under way in a direction; beyond that they are dropped */
#define ECN_CE	   3

enum { TO_SERVER, TO_CLIENT };

/* Something that happens to so many of the packets, in bursts of at most so many. */
struct chance {
	double percent;
	unsigned int burst; /* 0: no limit */
};

struct options {
	const char *devices[2]; /* client's, server's */
	double delay_ms, rate_mbit;
	unsigned int queue, mark;
	struct chance loss, corrupt;
	uint64_t drops[2]; /* by number of the packet, from bit 1 on */
	uint64_t pass_ns, hole_ns;
	bool rebind_port, rebind_addr;
	uint64_t rebind_first, rebind_every;
	uint64_t seed;
};

struct packet {
	STAILQ_ENTRY(packet) next;
	uint64_t sent, due; /* when it has left the line, and when it arrives */
	bool lost;
	unsigned int len;
	uint8_t data[];
};

struct counts {
	uint64_t packets, queue, lost, corrupted, dropped, hole, marked, unbound;
};

struct direction {
	int in, out;
	STAILQ_HEAD(, packet) held; /* in order of both times */
	unsigned int n_held;
	struct packet *line;		  /* the first of them that has not left the line; NULL */
	unsigned int waiting;		  /* from that one on */
	uint64_t free_at;		  /* the line is */
	uint64_t udp;			  /* packets so far */
	uint64_t random;		  /* state of the generator */
	unsigned int losses, corruptions; /* of the burst that is going on */
	struct counts n;
};

struct link {
	struct options o;
	struct direction to[2];
	uint64_t begin; /* the client's first UDP packet; NEVER before it */
	unsigned int rebound;
	uint64_t ends[65536 / 64]; /* the client's addresses and ports, hashed */
};

/* Where things are in an IP packet. */
struct view {
	uint8_t *ip, *udp, *payload;
	bool ip6;
	unsigned int payload_len;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static void die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

static void die(const char *format, ...)
{
	va_list args;

	fputs("linkem: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(EXIT_FAILURE);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SEC + (uint64_t)t.tv_nsec;
}

/* SplitMix64. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* One draw a packet whatever comes of it, so that the bursts do not shift what follows. */
static bool happens(const struct chance *c, uint64_t *random, unsigned int *burst)
{
	bool yes = (double)(draw(random) >> 11) < c->percent / 100 * (double)(UINT64_C(1) << 53);

	if (yes && c->burst && *burst == c->burst)
		yes = false;
	*burst = yes ? *burst + 1 : 0;
	return yes;
}

/* IP and UDP. */

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* False when it is not a whole UDP packet. */
static bool view(struct view *v, uint8_t *ip, unsigned int len)
{
	unsigned int header = 40, n;

	*v = (struct view){.ip = ip, .ip6 = len > 0 && ip[0] >> 4 == 6};
	if (!v->ip6 && len >= 20 && ip[0] >> 4 == 4 && ip[9] == 17 && (get16(ip + 6) & 0x3fff) == 0)
		header = (ip[0] & 15) * 4u;
	else if (!v->ip6 || len < 40 || ip[6] != 17)
		return false;
	if (header + 8 > len)
		return false;
	v->udp = ip + header;
	n = get16(v->udp + 4);
	if (n < 8 || header + n > len)
		return false;
	v->payload = v->udp + 8;
	v->payload_len = n - 8;
	return true;
}

/* A checksum after a 16-bit word that it covers has changed (RFC 1624). */
static void amend(uint8_t *checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t)~get16(checksum) + (uint32_t)(uint16_t)~before + after;

	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	put16(checksum, (uint16_t)~sum);
}

/* Changes a word that the UDP checksum covers; one of zero says that there is none. */
static void change16(const struct view *v, uint8_t *at, uint16_t value)
{
	uint8_t *checksum = v->udp + 6;

	if (get16(checksum) != 0) {
		amend(checksum, get16(at), value);
		if (get16(checksum) == 0)
			put16(checksum, 0xffff);
	}
	put16(at, value);
}

/*
 * Gives the client's end of a packet the address and port of a binding; twice the same is as it
 * was. Returns what the end is known by afterwards.
 */
static uint16_t translate(const struct options *o, const struct view *v, bool source,
			  unsigned int binding)
{
	uint8_t *port = v->udp + (source ? 0 : 2);
	uint8_t *addr = v->ip6 ? v->ip + (source ? 22 : 38) : v->ip + (source ? 14 : 18);
	uint16_t word = get16(addr), other = word ^ (uint16_t)(binding * 4 & 0xfc);

	if (o->rebind_addr) {
		change16(v, addr, other);
		if (!v->ip6)
			amend(v->ip + 10, word, other);
	}
	if (o->rebind_port)
		change16(v, port, get16(port) ^ (uint16_t)(binding * 8 & 0xff8));
	return (uint16_t)(get16(addr) * 0x9e37 + get16(port));
}

static void mark_ce(const struct view *v)
{
	uint16_t before = get16(v->ip), after;

	if (v->ip6) {
		if (before & 0x30)
			v->ip[1] |= ECN_CE << 4;
		return;
	}
	if ((before & ECN_CE) == 0)
		return;
	after = before | ECN_CE;
	amend(v->ip + 10, before, after);
	put16(v->ip, after);
}

/*
 * Another value for one byte of the payload, with a right checksum: QUIC shall see it. Not of a
 * long header's version, whose change no endpoint can tell from a peer of another version.
 */
static void corrupt(const struct view *v, uint64_t *random)
{
	uint64_t r = draw(random);
	unsigned int at = (unsigned int)(r >> 32) % v->payload_len;
	uint8_t *word, flip = (uint8_t)(1 + (r & 0xff) % 255);
	uint16_t mask;

	if (v->payload[0] & 0x80 && at >= 1 && at <= 4)
		at = 0;
	word = v->payload + (at & ~1u);
	mask = at & 1 ? flip : (uint16_t)(flip << 8);
	if (at + 1 == v->payload_len && (at & 1) == 0) { /* half a word at the end */
		uint8_t pair[2] = {word[0], 0};

		change16(v, pair, get16(pair) ^ mask);
		word[0] = pair[0];
		return;
	}
	change16(v, word, get16(word) ^ mask);
}

/* The link. */

/* False when there is no binding for it. */
static bool nat(struct link *l, int way, const struct view *v, uint64_t now)
{
	const struct options *o = &l->o;
	uint64_t since = now - l->begin;
	uint16_t end;

	if (!o->rebind_port && !o->rebind_addr)
		return true;
	if (l->begin != NEVER && since >= o->rebind_first) {
		l->rebound = 1;
		if (o->rebind_every)
			l->rebound += (unsigned int)((since - o->rebind_first) / o->rebind_every);
	}
	if (way == TO_SERVER) {
		end = translate(o, v, true, 0);
		l->ends[end / 64] |= UINT64_C(1) << end % 64;
		translate(o, v, true, l->rebound);
		return true;
	}
	end = translate(o, v, false, l->rebound);
	return l->ends[end / 64] >> end % 64 & 1;
}

static bool in_hole(const struct link *l, uint64_t now)
{
	return l->o.hole_ns && l->begin != NEVER &&
	       (now - l->begin) % (l->o.pass_ns + l->o.hole_ns) >= l->o.pass_ns;
}

/* What becomes of a UDP packet; false when it will not arrive. */
static bool judge(struct link *l, int way, const struct view *v, uint64_t now)
{
	struct direction *d = &l->to[way];
	const struct options *o = &l->o;
	uint64_t number = ++d->udp;
	bool lost = happens(&o->loss, &d->random, &d->losses);
	bool corrupted = happens(&o->corrupt, &d->random, &d->corruptions);

	if (way == TO_SERVER && l->begin == NEVER)
		l->begin = now;
	if (!nat(l, way, v, now)) {
		d->n.unbound++;
		return false;
	}
	if (in_hole(l, now)) {
		d->n.hole++;
		return false;
	}
	if (number < 64 && o->drops[way] >> number & 1) {
		d->n.dropped++;
		return false;
	}
	if (lost) {
		d->n.lost++;
		return false;
	}
	if (corrupted && v->payload_len > 0) {
		corrupt(v, &d->random);
		d->n.corrupted++;
	}
	return true;
}

/* Forget those that have left the line by now. */
static void advance(struct direction *d, uint64_t now)
{
	while (d->line && d->line->sent <= now) {
		d->line = STAILQ_NEXT(d->line, next);
		d->waiting--;
	}
}

static void arrive(struct link *l, int way, uint8_t *data, unsigned int len, uint64_t now)
{
	struct direction *d = &l->to[way];
	const struct options *o = &l->o;
	struct packet *p;
	struct view v;
	bool udp;

	d->n.packets++;
	advance(d, now);
	if (d->waiting > o->queue || d->n_held == HELD_MAX)
		p = NULL;
	else
		p = malloc(sizeof(*p) + len);
	if (!p) {
		d->n.queue++;
		return;
	}
	memcpy(p->data, data, len);
	p->len = len;
	udp = view(&v, p->data, len);
	p->lost = udp && !judge(l, way, &v, now);
	if (udp && !p->lost && o->mark && d->waiting >= o->mark) {
		mark_ce(&v);
		d->n.marked++;
	}
	p->sent = d->free_at > now ? d->free_at : now;
	if (o->rate_mbit > 0)
		p->sent += (uint64_t)(len * 8e3 / o->rate_mbit);
	d->free_at = p->sent;
	p->due = p->sent + (uint64_t)(o->delay_ms * MSEC);
	STAILQ_INSERT_TAIL(&d->held, p, next);
	d->n_held++;
	if (!d->line)
		d->line = p;
	d->waiting++;
}

/* Hand over what is due, and tell when the next is. */
static uint64_t deliver(struct direction *d, uint64_t now)
{
	struct packet *p;

	advance(d, now);
	while ((p = STAILQ_FIRST(&d->held)) != NULL && p->due <= now) {
		/* a device that is down takes nothing: lost, as on any line */
		if (!p->lost && write(d->out, p->data, p->len) < 0 && errno != EIO &&
		    errno != EINVAL)
			die("cannot write to a TUN device: %s", strerror(errno));
		STAILQ_REMOVE_HEAD(&d->held, next);
		d->n_held--;
		free(p);
	}
	return p ? p->due : NEVER;
}

static void run(struct link *l)
{
	static uint8_t data[PACKET_MAX];
	struct pollfd fds[2] = {{l->to[TO_SERVER].in, POLLIN, 0}, {l->to[TO_CLIENT].in, POLLIN, 0}};

	while (!stop) {
		uint64_t now = now_ns(), next = NEVER, due;
		struct timespec wait;

		for (int way = 0; way < 2; way++) {
			due = deliver(&l->to[way], now);
			next = due < next ? due : next;
		}
		due = next == NEVER ? SEC : next > now ? next - now : 0;
		wait = (struct timespec){(time_t)(due / SEC), (long)(due % SEC)};
		if (ppoll(fds, 2, &wait, NULL) < 0 && errno != EINTR)
			die("poll: %s", strerror(errno));
		now = now_ns();
		for (int way = 0; way < 2; way++) {
			/* bounded, so that the other direction gets its turn */
			for (int i = 0; i < 64; i++) {
				ssize_t n = read(l->to[way].in, data, sizeof(data));

				if (n <= 0)
					break;
				arrive(l, way, data, (unsigned int)n, now);
			}
		}
	}
}

/* Set-up. */

static int open_tun(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (strlen(name) >= IFNAMSIZ)
		die("'%s' is too long for a device", name);
	strcpy(ifr.ifr_name, name);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
		die("cannot make the TUN device %s: %s", name, strerror(errno));
	return fd;
}

static void usage(FILE *to)
{
	fputs("usage: linkem [OPTION...] CLIENT-DEVICE SERVER-DEVICE\n\n"
	      "A link between two TUN devices, which it makes. It says 'ready', runs until "
	      "SIGTERM, "
	      "and then\nprints what it did as JSON.\n\n"
	      "  --delay MS           of each direction [15]\n"
	      "  --rate MBIT          of each direction [10]\n"
	      "  --queue N            packets in front of the line [25]\n"
	      "  --loss PERCENT[:N]   of the UDP packets, at most N in a row\n"
	      "  --corrupt PERCENT[:N]\n"
	      "                       change a byte of the UDP payload, and the checksum with it\n"
	      "  --drop-to-server N[-N],...\n"
	      "  --drop-to-client N[-N],...\n"
	      "                       lose these UDP packets, counted from 1 on (up to 63)\n"
	      "  --blackhole MS:MS    pass packets so long, then lose all so long, again and "
	      "again\n"
	      "  --rebind WHAT        give the client another 'port', 'address' or 'both' ...\n"
	      "  --rebind-at MS[:MS]  ... so long after its first packet [1000], and then every so "
	      "often\n"
	      "  --mark N             mark ECN-capable packets (CE) while N are queued\n"
	      "  --seed N             of all that is random [1]\n",
	      to);
}

/* Reads "A" or "A:B". */
static bool two_numbers(const char *text, double *a, double *b)
{
	char *end;

	*a = strtod(text, &end);
	if (end == text)
		return false;
	if (*end == ':') {
		text = end + 1;
		*b = strtod(text, &end);
	}
	return *end == 0 && *a >= 0 && *b >= 0;
}

/* Reads "2-7,9". */
static bool numbers(const char *text, uint64_t *bits)
{
	while (*text) {
		char *end;
		unsigned long first = strtoul(text, &end, 10), last = first;

		if (*end == '-')
			last = strtoul(end + 1, &end, 10);
		if (first < 1 || last > 63 || (*end && *end != ','))
			return false;
		while (first <= last)
			*bits |= UINT64_C(1) << first++;
		text = *end ? end + 1 : end;
	}
	return *bits != 0;
}

static bool option(struct options *o, const char *name, const char *value)
{
	double a = 0, b = 0;

	if (strcmp(name, "--drop-to-server") == 0)
		return numbers(value, &o->drops[TO_SERVER]);
	if (strcmp(name, "--drop-to-client") == 0)
		return numbers(value, &o->drops[TO_CLIENT]);
	if (strcmp(name, "--rebind") == 0) {
		o->rebind_port = strcmp(value, "address") != 0;
		o->rebind_addr = strcmp(value, "port") != 0;
		return strcmp(value, "both") == 0 || o->rebind_port != o->rebind_addr;
	}
	if (!two_numbers(value, &a, &b))
		return false;
	if (strcmp(name, "--loss") == 0) {
		o->loss = (struct chance){a, (unsigned int)b};
	} else if (strcmp(name, "--corrupt") == 0) {
		o->corrupt = (struct chance){a, (unsigned int)b};
	} else if (strcmp(name, "--blackhole") == 0) {
		o->pass_ns = (uint64_t)(a * MSEC);
		o->hole_ns = (uint64_t)(b * MSEC);
		return b > 0;
	} else if (strcmp(name, "--rebind-at") == 0) {
		o->rebind_first = (uint64_t)(a * MSEC);
		o->rebind_every = (uint64_t)(b * MSEC);
	} else if (b > 0) {
		return false;
	} else if (strcmp(name, "--delay") == 0) {
		o->delay_ms = a;
	} else if (strcmp(name, "--rate") == 0) {
		o->rate_mbit = a;
		return a > 0;
	} else if (strcmp(name, "--queue") == 0) {
		o->queue = (unsigned int)a;
	} else if (strcmp(name, "--mark") == 0) {
		o->mark = (unsigned int)a;
	} else if (strcmp(name, "--seed") == 0) {
		o->seed = (uint64_t)a;
	} else {
		die("'%s' is no option; --help lists them", name);
	}
	return true;
}

static void report(const struct link *l)
{
	static const char *const names[] = {"to_server", "to_client"};

	printf("{\"rebound\":%u", l->rebound);
	for (int way = 0; way < 2; way++) {
		const struct counts *n = &l->to[way].n;

		printf(",\"%s\":{\"packets\":%llu,\"queue\":%llu,\"lost\":%llu,\"corrupted\":%llu,"
		       "\"dropped\":%llu,\"blackhole\":%llu,\"marked\":%llu,\"unbound\":%llu}",
		       names[way], (unsigned long long)n->packets, (unsigned long long)n->queue,
		       (unsigned long long)n->lost, (unsigned long long)n->corrupted,
		       (unsigned long long)n->dropped, (unsigned long long)n->hole,
		       (unsigned long long)n->marked, (unsigned long long)n->unbound);
	}
	printf("}\n");
}

int main(int argc, char **argv)
{
	static struct link l = {
		.o = {.delay_ms = 15, .rate_mbit = 10, .queue = 25, .rebind_first = SEC, .seed = 1},
		.begin = NEVER,
	};
	int fds[2], n = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			usage(stdout);
			return EXIT_SUCCESS;
		}
		if (strncmp(argv[i], "--", 2) != 0) {
			if (n == 2)
				die("there are two devices; --help says more");
			l.o.devices[n++] = argv[i];
		} else if (i + 1 == argc || !option(&l.o, argv[i], argv[i + 1])) {
			die("%s: not a value for it; --help says more", argv[i]);
		} else {
			i++;
		}
	}
	if (n != 2)
		die("two devices are to be named; --help says more");
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	for (int way = 0; way < 2; way++)
		fds[way] = open_tun(l.o.devices[way]);
	for (int way = 0; way < 2; way++) {
		l.to[way].in = fds[way];
		l.to[way].out = fds[!way];
		l.to[way].random = l.o.seed * 2 + (uint64_t)way;
		STAILQ_INIT(&l.to[way].held);
	}
	printf("ready\n");
	fflush(stdout);
	run(&l);
	report(&l);
	return EXIT_SUCCESS;
}
