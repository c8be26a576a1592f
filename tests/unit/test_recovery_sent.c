// SPDX-License-Identifier: BSD-3-Clause
#include "recovery/sent.h"

#include "test_recovery_util.h"

static struct ql_sent s;

static void open_sent(void)
{
	mem_open();
	ql_sent_init(&s, &mem, 0);
}

static void close_sent(void)
{
	ql_sent_clear(&s);
	mem_close();
}

/* Records there are, of whatever state. */
static uint64_t records_of(const struct ql_sent *sent)
{
	return sent->next - sent->base;
}

static struct ql_sent_frame frame(uint64_t id)
{
	return (struct ql_sent_frame){.id = id,
				      .offset = ~id,
				      .extra = (uint32_t)id + 1,
				      .len = (uint16_t)id,
				      .kind = QL_SENT_STREAM,
				      .flags = QL_SENT_FRAME_FIN};
}

/* Frames have the ids pn * 100, pn * 100 + 1, ... */
static struct ql_sent_pkt *send(uint64_t pn, unsigned int frames, uint16_t flags)
{
	CHECK(ql_sent_begin(&s, pn) == 0);
	for (unsigned int i = 0; i < frames; i++) {
		struct ql_sent_frame f = frame(pn * 100 + i);

		CHECK(ql_sent_add(&s, &f) == 0);
	}
	return ql_sent_commit(&s, pn * 10, (uint16_t)(1000 + pn), flags);
}

static void check_frames(uint64_t pn, unsigned int frames)
{
	const struct ql_sent_pkt *pkt = ql_sent_get(&s, pn);
	struct ql_sent_iter it;
	unsigned int n = 0;

	CHECK(pkt);
	for (const struct ql_sent_frame *f = ql_sent_frames(&it, pkt); f;
	     f = ql_sent_frames_next(&it)) {
		struct ql_sent_frame want = frame(pn * 100 + n++);

		CHECK(memcmp(f, &want, sizeof(want)) == 0);
	}
	CHECK(n == frames);
}

static void acked(uint64_t pn)
{
	struct ql_sent_pkt *pkt = ql_sent_get(&s, pn);

	CHECK(pkt && !(pkt->flags & QL_SENT_ACKED));
	pkt->flags |= QL_SENT_ACKED;
	pkt->skip = pn + 1;
}

START_TEST(test_record)
{
	const struct ql_sent_pkt *pkt = send(0, 2, QL_SENT_ELICITING | QL_SENT_HAS_CRYPTO);

	ck_assert_ptr_eq(pkt, ql_sent_get(&s, 0));
	ck_assert_uint_eq(pkt->time, 0);
	ck_assert_uint_eq(pkt->size, 1000);
	ck_assert_uint_eq(pkt->flags, QL_SENT_ELICITING | QL_SENT_IN_FLIGHT | QL_SENT_HAS_CRYPTO);
	ck_assert_uint_eq(pkt->frames, 2);
	check_frames(0, 2);
	ck_assert_uint_eq(ql_sent_next(&s), 1);
	ck_assert_uint_eq(records_of(&s), 1);
	ck_assert_ptr_null(ql_sent_get(&s, 1));
	ck_assert_ptr_null(ql_sent_get(&s, UINT64_MAX));
	acked(0);
	ql_sent_trim(&s, 0);
	ck_assert_ptr_null(ql_sent_get(&s, 0));
	ck_assert_uint_eq(records_of(&s), 0);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(test_begin_errors)
{
	ck_assert_int_eq(ql_sent_begin(&s, QL_SENT_SKIP_MAX + 1), -EINVAL);
	ck_assert_int_eq(ql_sent_begin(&s, UINT64_MAX), -EINVAL);
	ck_assert_uint_eq(mem.used, 0);
	send(5, 1, QL_SENT_ELICITING);
	ck_assert_int_eq(ql_sent_begin(&s, 5), -EINVAL);
	ck_assert_int_eq(ql_sent_begin(&s, 0), -EINVAL);
	ck_assert_int_eq(ql_sent_begin(&s, 6 + QL_SENT_SKIP_MAX + 1), -EINVAL);
	ck_assert_int_eq(ql_sent_begin(&s, 6 + QL_SENT_SKIP_MAX), 0);
	ql_sent_abort(&s);
	ql_sent_abort(&s);
	ck_assert_uint_eq(ql_sent_next(&s), 6);
}
END_TEST

START_TEST(test_skipped)
{
	ck_assert_uint_eq(s.last_skip, UINT64_MAX);
	send(0, 1, QL_SENT_ELICITING);
	send(3, 1, QL_SENT_ELICITING);
	ck_assert_uint_eq(s.last_skip, 2);
	ck_assert_uint_eq(ql_sent_get(&s, 1)->flags, QL_SENT_SKIPPED);
	ck_assert_uint_eq(ql_sent_get(&s, 2)->flags, QL_SENT_SKIPPED);
	check_frames(1, 0);
	check_frames(3, 1);
	ck_assert_uint_eq(records_of(&s), 4);
	acked(0);
	ck_assert_uint_eq(ql_sent_unacked(&s, 0), 1);
	ql_sent_trim(&s, 0);
	ck_assert_uint_eq(s.base, 3);
	acked(3);
	ql_sent_trim(&s, 0);
	ck_assert_uint_eq(s.last_skip, 2);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(test_not_in_flight)
{
	/* Alone, it leaves nothing. */
	for (uint64_t pn = 0; pn < 100; pn++) {
		ck_assert_ptr_null(send(pn, 1, 0));
		ck_assert_uint_eq(mem.used, 0);
	}
	ck_assert_uint_eq(ql_sent_next(&s), 100);
	/* Behind another, it stays until that goes. */
	send(100, 1, QL_SENT_ELICITING);
	ck_assert_ptr_null(send(101, 1, 0));
	check_frames(101, 1);
	send(102, 1, QL_SENT_IN_FLIGHT); /* PADDING alone: in flight, not ack-eliciting */
	send(103, 1, 0);
	acked(100);
	ql_sent_trim(&s, 0);
	ck_assert_uint_eq(s.base, 102);
	acked(102);
	ql_sent_trim(&s, 0);
	ck_assert_uint_eq(s.base, 104);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(test_frames_limit)
{
	struct ql_sent_frame f = frame(0);

	ck_assert_int_eq(ql_sent_begin(&s, 0), 0);
	for (unsigned int i = 0; i < QL_SENT_FRAMES_MAX; i++) {
		f = frame(i);
		ck_assert_int_eq(ql_sent_add(&s, &f), 0);
	}
	ck_assert_int_eq(ql_sent_add(&s, &f), -ENOSPC);
	ck_assert_int_eq(ql_sent_add(&s, &f), -ENOSPC);
	ql_sent_commit(&s, 0, 1000, QL_SENT_ELICITING);
	check_frames(0, QL_SENT_FRAMES_MAX);
	send(1, 3, QL_SENT_ELICITING);
	check_frames(1, 3);
	check_frames(0, QL_SENT_FRAMES_MAX);
}
END_TEST

/* A packet whose frames begin where a chunk does, when those before it go. */
START_TEST(test_chunk_border)
{
	send(0, QL_SENT_CHUNK, QL_SENT_ELICITING);
	send(1, 0, QL_SENT_ELICITING);
	send(2, 2, QL_SENT_ELICITING);
	acked(0);
	ql_sent_trim(&s, 0);
	ck_assert_uint_le(mem.used, 1024 + 768);
	send(3, 1, QL_SENT_ELICITING);
	check_frames(1, 0);
	check_frames(2, 2);
	check_frames(3, 1);
}
END_TEST

START_TEST(test_limit)
{
	uint64_t pn;

	ql_sent_init(&s, &mem, 100);
	for (pn = 0; pn < 100; pn++)
		send(pn, 1, QL_SENT_ELICITING);
	ck_assert_int_eq(ql_sent_begin(&s, 100), -ENOBUFS);
	acked(1);
	ql_sent_trim(&s, 0);
	ck_assert_int_eq(ql_sent_begin(&s, 100), -ENOBUFS);
	acked(0);
	ql_sent_trim(&s, 0);
	ck_assert_int_eq(ql_sent_begin(&s, 102), -ENOBUFS); /* skipped ones count */
	ck_assert_int_eq(ql_sent_begin(&s, 101), 0);
	ql_sent_commit(&s, 0, 1000, QL_SENT_ELICITING);
	/* Where there is no room, lost ones go, however young. */
	ql_sent_get(&s, 2)->flags |= QL_SENT_LOST;
	ql_sent_get(&s, 3)->flags |= QL_SENT_LOST;
	ck_assert_int_eq(ql_sent_begin(&s, 102), 0);
	ck_assert_uint_eq(s.base, 4);
	ql_sent_abort(&s);
}
END_TEST

/* All that a space may hold by default, and back to nothing. */
START_TEST(test_growth)
{
	uint64_t pn;

	for (pn = 0; pn < QL_SENT_MAX; pn++)
		send(pn, pn % 3, QL_SENT_ELICITING);
	ck_assert_int_eq(ql_sent_begin(&s, pn), -ENOBUFS);
	for (pn = 0; pn < QL_SENT_MAX; pn++) {
		CHECK(ql_sent_get(&s, pn)->size == (uint16_t)(1000 + pn));
		check_frames(pn, pn % 3);
	}
	for (pn = 0; pn < QL_SENT_MAX; pn++) {
		acked(pn);
		ql_sent_trim(&s, 0);
	}
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(s.dir_cap, QL_SENT_DIR);
}
END_TEST

START_TEST(test_lost)
{
	send(1, 1, QL_SENT_ELICITING); /* time 10 */
	send(2, 1, QL_SENT_ELICITING);
	send(3, 1, QL_SENT_ELICITING);
	ql_sent_get(&s, 1)->flags |= QL_SENT_LOST;
	acked(2);
	ql_sent_trim(&s, 10);
	ck_assert_uint_eq(s.base, 1);
	check_frames(1, 1);
	ql_sent_trim(&s, 11);
	ck_assert_uint_eq(s.base, 3);
	/* So many records stay behind a lost one, no more. */
	ql_sent_get(&s, 3)->flags |= QL_SENT_LOST;
	for (uint64_t pn = 4; pn < 3 + QL_SENT_KEEP; pn++) {
		send(pn, 1, QL_SENT_ELICITING);
		acked(pn);
	}
	s.open = s.next;
	ql_sent_trim(&s, 0);
	ck_assert_uint_eq(s.base, 3);
	send(3 + QL_SENT_KEEP, 1, QL_SENT_ELICITING);
	acked(3 + QL_SENT_KEEP);
	s.open = s.next;
	ql_sent_trim(&s, 0);
	ck_assert_uint_eq(mem.used, 0);
}
END_TEST

START_TEST(test_open_follows)
{
	send(0, 0, QL_SENT_ELICITING);
	send(1, 0, QL_SENT_ELICITING);
	acked(0);
	ck_assert_uint_eq(s.open, 0);
	ql_sent_trim(&s, 0);
	ck_assert_uint_eq(s.open, 1);
	ql_sent_clear(&s);
	ck_assert_uint_eq(s.open, 2);
	ck_assert_uint_eq(s.base, 2);
	send(2, 0, 0);
	ck_assert_uint_eq(s.open, 3);
}
END_TEST

START_TEST(test_unacked)
{
	for (uint64_t pn = 0; pn < 1000; pn++)
		send(pn, 0, QL_SENT_ELICITING);
	for (uint64_t pn = 1; pn < 999; pn++)
		if (pn != 500)
			acked(pn);
	for (unsigned int round = 0; round < 20; round++) {
		ck_assert_uint_eq(ql_sent_unacked(&s, 0), 0);
		ck_assert_uint_eq(ql_sent_unacked(&s, 1), 500);
		ck_assert_uint_eq(ql_sent_unacked(&s, 250), 500);
		ck_assert_uint_eq(ql_sent_unacked(&s, 500), 500);
		ck_assert_uint_eq(ql_sent_unacked(&s, 501), 999);
		ck_assert_uint_eq(ql_sent_unacked(&s, 999), 999);
	}
	/* After ten halvings the way is one step. */
	ck_assert_uint_eq(ql_sent_get(&s, 1)->skip, 500);
	acked(500);
	acked(999);
	ck_assert_uint_eq(ql_sent_unacked(&s, 1), 1000);
	ck_assert_uint_eq(ql_sent_unacked(&s, 1000), 1000);
	send(1000, 0, QL_SENT_ELICITING);
	acked(1000);
	ck_assert_uint_eq(ql_sent_unacked(&s, 1), 1001);
}
END_TEST

START_TEST(test_abort)
{
	struct ql_sent_frame f = frame(0);
	size_t used;

	/* Of an empty space */
	ck_assert_int_eq(ql_sent_begin(&s, 3), 0);
	for (unsigned int i = 0; i < 40; i++)
		ck_assert_int_eq(ql_sent_add(&s, &f), 0);
	ck_assert_uint_ne(mem.used, 0);
	ql_sent_abort(&s);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(ql_sent_next(&s), 0);
	/* where something is before it, with frames to every place in a chunk */
	for (unsigned int n = 0; n < 3 * QL_SENT_CHUNK; n++) {
		for (uint64_t pn = s.next, end = pn + n / 30; pn < end; pn++)
			send(pn, 30, QL_SENT_ELICITING);
		send(s.next, n % 30, QL_SENT_ELICITING);
		used = mem.used;
		ck_assert_int_eq(ql_sent_begin(&s, s.next + 10), 0);
		for (unsigned int i = 0; i < 64; i++)
			CHECK(ql_sent_add(&s, &f) == 0);
		ql_sent_abort(&s);
		ck_assert_uint_eq(mem.used, used);
		send(s.next, 35, QL_SENT_ELICITING);
		check_frames(s.next - 1, 35);
		check_frames(s.next - 2, n % 30);
		if (n % 2) {
			while (s.base < s.next) {
				acked(s.base);
				ql_sent_trim(&s, 0);
			}
			ck_assert_uint_eq(mem.used, 0);
		}
	}
}
END_TEST

START_TEST(test_clear)
{
	struct ql_sent_frame f = frame(0);

	for (uint64_t pn = 0; pn < 300; pn++)
		send(pn, 3, QL_SENT_ELICITING);
	ck_assert_int_eq(ql_sent_begin(&s, 310), 0);
	ck_assert_int_eq(ql_sent_add(&s, &f), 0);
	ql_sent_clear(&s);
	ck_assert_uint_eq(mem.used, 0);
	ck_assert_uint_eq(ql_sent_next(&s), 300);
	ck_assert_ptr_null(ql_sent_get(&s, 299));
	send(300, 3, QL_SENT_ELICITING);
	check_frames(300, 3);
}
END_TEST

/* What a connection with little to say holds. */
START_TEST(test_small)
{
	send(0, 2, QL_SENT_ELICITING);
	ck_assert_uint_le(mem.used, 1024 + 768);
	for (uint64_t pn = 1; pn < 16; pn++)
		send(pn, 1, QL_SENT_ELICITING);
	ck_assert_uint_le(mem.used, 1024 + 768);
}
END_TEST

/* Each allocation failing once: an error, nothing changed, and the next try goes well. */
START_TEST(test_no_memory)
{
	unsigned int failures = 0;

	for (uint64_t pn = 0; pn < 2000; pn++) {
		unsigned int frames = (unsigned int)(pn % 5);
		size_t used = mem.used;
		uint64_t records = records_of(&s), next = s.next;
		/* now and then over several blocks at once */
		uint64_t to = pn % 7 == 0 ? next + QL_SENT_SKIP_MAX : next;

		for (uint64_t nth = 1;; nth++) {
			int rc;

			ql_mem_fail_at(&mem, nth);
			rc = ql_sent_begin(&s, to);
			for (unsigned int i = 0; i < frames && !rc; i++) {
				struct ql_sent_frame f = frame(to * 100 + i);

				rc = ql_sent_add(&s, &f);
				if (rc)
					ql_sent_abort(&s);
			}
			if (!rc)
				break;
			failures++;
			CHECK(rc == -ENOMEM);
			CHECK(records_of(&s) == records);
			CHECK(ql_sent_next(&s) == next);
			/* a larger directory may stay */
			CHECK(mem.used >= used && mem.used <= used + s.dir_cap * sizeof(void *));
			used = mem.used;
		}
		ql_mem_fail_at(&mem, 0);
		ql_sent_commit(&s, to, 1000, QL_SENT_ELICITING);
		check_frames(to, frames);
	}
	ck_assert_uint_gt(failures, 300);
}
END_TEST

/* A frame that did not fit memory is left out; the packet goes on with the others. */
START_TEST(test_no_memory_for_frame)
{
	struct ql_sent_frame f;

	ck_assert_int_eq(ql_sent_begin(&s, 0), 0);
	for (unsigned int i = 0; i < QL_SENT_CHUNK; i++) {
		f = frame(i);
		ck_assert_int_eq(ql_sent_add(&s, &f), 0);
	}
	f = frame(QL_SENT_CHUNK);
	ql_mem_fail_at(&mem, 1);
	ck_assert_int_eq(ql_sent_add(&s, &f), -ENOMEM);
	ck_assert_int_eq(ql_sent_add(&s, &f), 0);
	ql_sent_commit(&s, 0, 1000, QL_SENT_ELICITING);
	check_frames(0, QL_SENT_CHUNK + 1);
}
END_TEST

/* Against a plain array. */
#define MODEL 200000

static struct {
	uint8_t frames;
	bool exists, skipped, acked, lost, flight;
} model[MODEL];

static bool model_done(uint64_t pn)
{
	return model[pn].skipped || model[pn].acked || model[pn].lost || !model[pn].flight;
}

static void property(uint64_t seed, unsigned int window)
{
	uint64_t base = 0, next = 0, pn;

	ql_sent_clear(&s);
	ql_sent_init(&s, &mem, 0);
	memset(model, 0, sizeof(model));
	while (next < MODEL - 20) {
		unsigned int what = (unsigned int)below(&seed, 100);

		if (next - base < window && what < 60) {
			uint64_t to =
				next + (below(&seed, 10) ? 0 : below(&seed, QL_SENT_SKIP_MAX + 1));
			unsigned int frames = (unsigned int)below(&seed, below(&seed, 20) ? 4 : 65);
			bool flight = below(&seed, 8) != 0;

			if (what < 5) {
				struct ql_sent_frame f = frame(1);

				CHECK(ql_sent_begin(&s, to) == 0);
				for (unsigned int i = 0; i < frames; i++)
					CHECK(ql_sent_add(&s, &f) == 0);
				ql_sent_abort(&s);
				continue;
			}
			send(to, frames, flight ? QL_SENT_ELICITING : 0);
			for (; next < to; next++)
				model[next].exists = model[next].skipped = true;
			model[next].exists = true;
			model[next].frames = (uint8_t)frames;
			model[next++].flight = flight;
			if (!flight)
				while (base < next && model_done(base) && !model[base].lost)
					base++;
		} else if (what < 95) {
			if (base == next)
				continue;
			for (unsigned int i = (unsigned int)below(&seed, 5); i > 0; i--) {
				pn = base + below(&seed, next - base);
				if (what % 2)
					pn = base + (pn - base) % 5 % (next - base);
				if (model[pn].acked || model[pn].skipped || !model[pn].flight)
					continue;
				if (what % 10 == 0) {
					model[pn].lost = true;
					ql_sent_get(&s, pn)->flags |= QL_SENT_LOST;
				} else {
					check_frames(pn, model[pn].frames);
					model[pn].acked = true;
					acked(pn);
				}
			}
			/* Lost ones are all old: ql_sent_trim() takes them. */
			ql_sent_trim(&s, UINT64_MAX);
			while (base < next && model_done(base))
				base++;
		} else if (base < next) {
			uint64_t want;

			pn = base + below(&seed, next - base);
			for (want = pn; want < next && model[want].acked; want++)
				;
			CHECK(ql_sent_unacked(&s, pn) == want);
			check_frames(pn, model[pn].frames);
		}
		CHECK(s.base == base && s.next == next);
		CHECK(base < next || mem.used == 0);
		CHECK(!ql_sent_get(&s, base - 1) && !ql_sent_get(&s, next));
	}
	for (pn = base; pn < next; pn++)
		check_frames(pn, model[pn].frames);
}

START_TEST(test_property)
{
	property(1, 3);
	property(2, 40);
	property(3, 1000);
	property(4, 30000);
}
END_TEST

RUN("recovery/sent", open_sent, close_sent, test_record, test_begin_errors, test_skipped,
    test_not_in_flight, test_frames_limit, test_chunk_border, test_limit, test_growth, test_lost,
    test_open_follows, test_unacked, test_abort, test_clear, test_small, test_no_memory,
    test_no_memory_for_frame, test_property)
