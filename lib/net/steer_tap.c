// SPDX-License-Identifier: BSD-3-Clause
#include "net/steer.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Offsets in an IP packet, and behind the UDP header's start. */
#define IP4_FRAGMENT 6
#define IP4_PROTOCOL 9
#define IP4_ADDRS    12
#define IP6_NEXT     6
#define IP6_ADDRS    8
#define IP6_LEN	     40
#define UDP_PAYLOAD  8
#define LONG_HEADER  0x80

/* Registers. The kernel's loads want the packet in CTX, give to VALUE, and spoil 1 to 5. */
enum { VALUE = 0, PACKET = 1, CTX = 6, VERSION = 7, UDP = 8, HASH = 9 };

enum label { TO_IP4, TO_IP6, TO_UDP, TO_HASH, TO_FIRST, LABELS };

#define MAX_INSNS  96
#define LOAD_TRIES 100

struct program {
	struct bpf_insn at[MAX_INSNS];
	enum label target[MAX_INSNS]; /* of jumps */
	unsigned int n, place[LABELS];
};

static void emit(struct program *p, uint8_t code, uint8_t dst, uint8_t src, int32_t imm)
{
	p->at[p->n++] = (struct bpf_insn){.code = code, .dst_reg = dst, .src_reg = src, .imm = imm};
}

static void jump(struct program *p, uint8_t op, uint8_t reg, int32_t imm, enum label to)
{
	p->target[p->n] = to;
	emit(p, BPF_JMP | op | BPF_K, reg, 0, imm);
}

static void place(struct program *p, enum label label)
{
	p->place[label] = p->n;
}

/* Into VALUE, in the host's order: so many bytes of the IP packet. What is not there ends the program
 * with 0. */
static void load(struct program *p, uint8_t size, int32_t offset)
{
	emit(p, BPF_LD | BPF_ABS | size, 0, 0, SKF_NET_OFF + offset);
}

/* The same, offset from the UDP header. */
static void load_udp(struct program *p, uint8_t size, int32_t offset)
{
	emit(p, BPF_LD | BPF_IND | size, 0, UDP, SKF_NET_OFF + offset);
}

static void alu(struct program *p, uint8_t op, uint8_t dst, int32_t imm)
{
	emit(p, BPF_ALU | op | BPF_K, dst, 0, imm);
}

static void move(struct program *p, uint8_t dst, uint8_t src)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0);
}

static void mix(struct program *p)
{
	alu(p, BPF_MUL, HASH, 31);
	emit(p, BPF_ALU | BPF_ADD | BPF_X, HASH, VALUE, 0);
}

static void write_program(struct program *p, uint16_t queues, const struct ql_cid_word *word)
{
	move(p, CTX, PACKET);
	alu(p, BPF_MOV, HASH, 0);
	load(p, BPF_B, 0);
	move(p, VERSION, VALUE);
	alu(p, BPF_RSH, VERSION, 4);
	jump(p, BPF_JEQ, VERSION, 4, TO_IP4);
	jump(p, BPF_JEQ, VERSION, 6, TO_IP6);
	place(p, TO_FIRST);
	alu(p, BPF_MOV, VALUE, 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0);

	place(p, TO_IP4);
	alu(p, BPF_AND, VALUE, 0xf);
	alu(p, BPF_LSH, VALUE, 2);
	move(p, UDP, VALUE);
	load(p, BPF_B, IP4_PROTOCOL);
	jump(p, BPF_JNE, VALUE, IPPROTO_UDP, TO_FIRST);
	load(p, BPF_H, IP4_FRAGMENT);
	jump(p, BPF_JSET, VALUE, 0x3fff, TO_FIRST);
	for (int i = 0; i < 2; i++) {
		load(p, BPF_W, IP4_ADDRS + 4 * i);
		mix(p);
	}
	jump(p, BPF_JA, 0, 0, TO_UDP);

	place(p, TO_IP6);
	load(p, BPF_B, IP6_NEXT);
	jump(p, BPF_JNE, VALUE, IPPROTO_UDP, TO_FIRST);
	alu(p, BPF_MOV, UDP, IP6_LEN);
	for (int i = 0; i < 8; i++) {
		load(p, BPF_W, IP6_ADDRS + 4 * i);
		mix(p);
	}

	place(p, TO_UDP);
	load_udp(p, BPF_W, 0); /* both ports */
	mix(p);
	load_udp(p, BPF_B, UDP_PAYLOAD);
	jump(p, BPF_JSET, VALUE, LONG_HEADER, TO_HASH);
	load_udp(p, BPF_B, UDP_PAYLOAD + 1);
	alu(p, BPF_AND, VALUE, word->first_mask);
	jump(p, BPF_JNE, VALUE, word->first_value & word->first_mask, TO_HASH);
	load_udp(p, BPF_H, UDP_PAYLOAD + word->offset);
	alu(p, BPF_AND, VALUE, word->mask);
	jump(p, BPF_JGE, VALUE, queues, TO_HASH);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0);

	/* the kernel takes the remainder by the number of queues */
	place(p, TO_HASH);
	alu(p, BPF_MUL, HASH, 0x5bd1e995);
	alu(p, BPF_RSH, HASH, 16);
	move(p, VALUE, HASH);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0);

	for (unsigned int i = 0; i < p->n; i++) {
		uint8_t op = BPF_OP(p->at[i].code);

		if (BPF_CLASS(p->at[i].code) == BPF_JMP && op != BPF_EXIT)
			p->at[i].off = (int16_t)(p->place[p->target[i]] - i - 1);
	}
}

int ql_steer_tap_program(uint16_t queues, const struct ql_cid_word *word)
{
	static const char license[] = "BSD";
	struct program p = {.n = 0};
	unsigned int tries = 0;
	union bpf_attr attr;
	long fd;

	write_program(&p, queues, word);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)p.at;
	attr.insn_cnt = p.n;
	attr.license = (uintptr_t)license;
	/* a signal ends the kernel's look at it, and TAPs send us many */
	do
		fd = syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) && ++tries < LOAD_TRIES);
	return fd < 0 ? -errno : (int)fd;
}

/* Another queue of the interface, by which it can be spoken to. The name is one that there is. */
static int open_queue(const char *name)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_MULTI_QUEUE};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC), rc;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &ifr) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}

int ql_steer_tap(unsigned int if_index, uint16_t queues, const struct ql_cid_word *word,
		 char why[QL_STEERING_WHY])
{
	char name[IF_NAMESIZE];
	int fd, prog, rc = 0;

	if (if_index == 0 || !if_indextoname(if_index, name)) {
		snprintf(why, QL_STEERING_WHY,
			 "the kernel's end of the TAP device is in another network namespace");
		return -ENODEV;
	}
	prog = ql_steer_tap_program(queues, word);
	if (prog < 0) {
		snprintf(why, QL_STEERING_WHY, "the kernel takes no BPF program: %s%s",
			 strerror(-prog), prog == -EPERM ? "; CAP_BPF allows it" : "");
		return prog;
	}
	fd = open_queue(name);
	if (fd < 0) {
		rc = fd;
		snprintf(why, QL_STEERING_WHY, "cannot open %s once more: %s", name, strerror(-rc));
	} else {
		/* it goes with the interface, not with this queue */
		if (ioctl(fd, TUNSETSTEERINGEBPF, &prog) < 0) {
			rc = -errno;
			snprintf(why, QL_STEERING_WHY, "the kernel does not take the program: %s",
				 strerror(-rc));
		}
		close(fd);
	}
	close(prog);
	return rc;
}
