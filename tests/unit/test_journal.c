/* SPDX-License-Identifier: MIT */
/*
 * The restore journal against a small world of objects that outlives its process: berth is killed
 * after every number of system calls of applying and of undoing, then another recovers. Whatever
 * berth wrote is as before, whatever somebody else wrote meanwhile stays.
 */
#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/journal.h"

#define BOOT	   "41220923-f7a4-4d43-be70-86207927daa9"
#define NR_OBJECTS 4

struct world {
	char values[NR_OBJECTS][16];
	bool is_alive; /* the owner */
	bool fails;
	uint32_t nr_calls;
};

static struct world *world;
static char folder[64];
static int folder_fd;
static const struct journal_owner self = { BOOT, 4711, 238247 };

static bool is_alive(void *context, const struct journal_owner *owner)
{
	assert_int_equal(owner->pid, 4711);
	assert_int_equal(owner->start_ticks, 238247);
	return world->is_alive;
}

static int undo(void *context, const struct journal_change *change, enum journal_outcome *ret,
		struct printbuf *err)
{
	char *value = world->values[atoi(change->object)];
	world->nr_calls++;
	assert_string_equal(change->kind, "cell");
	if (world->fails)
		return -EIO;
	*ret = JOURNAL_LEFT_ALONE;
	if (strcmp(value, change->original) == 0) {
		*ret = JOURNAL_UNCHANGED;
	} else if (journal_value_is_known(change, value)) {
		*ret = JOURNAL_RESTORED;
		strcpy(value, change->original);
	}
	getppid(); /* a boundary behind it */
	return 0;
}

static const struct journal_ops ops = { is_alive, undo };

static void open_world(void)
{
	strcpy(folder, "/tmp/berth-journal-XXXXXX");
	assert_non_null(mkdtemp(folder));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	world = mmap(NULL, sizeof(*world), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	assert_ptr_not_equal(world, MAP_FAILED);
}

static void set_value(int object, const char *value)
{
	snprintf(world->values[object], sizeof(world->values[object]), "%s", value);
}

static void reset(void)
{
	static const char *const originals[NR_OBJECTS] = { "was 0%", "was 1%", "was 2%", "" };
	if (!world)
		open_world();
	memset(world, 0, sizeof(*world));
	for (int i = 0; i < NR_OBJECTS; i++)
		set_value(i, originals[i]);
}

static void done(void)
{
	munmap(world, sizeof(*world));
	close(folder_fd);
	assert_int_equal(rmdir(folder), 0); /* fails when a file was left */
	world = NULL;
}

static void write_value(struct journal *journal, int object, uint32_t change, const char *value)
{
	assert_int_equal(journal_add_value(journal, change, value, NULL), 0);
	set_value(object, value);
	getppid();
}

static void apply(struct journal *journal)
{
	uint32_t changes[NR_OBJECTS];
	assert_int_equal(journal_create(folder_fd, &self, journal, NULL), 0);
	for (int i = 0; i < NR_OBJECTS; i++) {
		char object[4] = { (char)('0' + i) };
		assert_int_equal(journal_add_change(journal, "cell", object, world->values[i],
						    &changes[i], NULL),
				 0);
		write_value(journal, i, changes[i], "new");
	}
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < NR_OBJECTS; i += 2)
			write_value(journal, i, changes[i], round ? "new" : "0-1 2");
}

static void assert_as_before(void)
{
	struct world expected = *world;
	struct world now = *world;
	reset();
	for (int i = 0; i < NR_OBJECTS; i++)
		assert_string_equal(now.values[i], world->values[i]);
	*world = expected;
}

static void assert_no_file(void)
{
	struct stat status;
	assert_int_equal(fstatat(folder_fd, "4711-238247.journal", &status, 0), -1);
}

static struct journal_counts recover(int expected)
{
	struct journal_counts counts = { 0 };
	PRINTBUF(err);
	assert_int_equal(journal_recover(folder_fd, BOOT, &ops, NULL, &counts, &err), expected);
	return counts;
}

static void test_undo_restores_and_removes(void **state)
{
	struct journal journal;
	reset();
	apply(&journal);
	assert_int_equal(journal_undo(&journal, &ops, NULL, NULL), 0);
	journal_fini(&journal);
	assert_as_before();
	assert_no_file();
	done();
}

/* Runs `what` in a child that is killed at its `nr`-th stop at a system call. True: it was. */
static bool is_killed_at(void (*what)(void), int nr)
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	for (int i = 0; i < nr; i++) {
		ptrace(PTRACE_SYSCALL, pid, NULL, NULL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (!WIFSTOPPED(status)) {
			assert_int_equal(status, 0);
			return false;
		}
		assert_int_equal(WSTOPSIG(status), SIGTRAP);
	}
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	return true;
}

static void apply_and_undo(void)
{
	struct journal journal;
	apply(&journal);
	journal_undo(&journal, &ops, NULL, NULL);
	journal_fini(&journal);
}

static void recover_quietly(void)
{
	struct journal_counts counts;
	journal_recover(folder_fd, BOOT, &ops, NULL, &counts, NULL);
}

static void test_kill_at_every_call_of_apply_and_undo(void **state)
{
	int nr = 1;
	for (reset(); is_killed_at(apply_and_undo, nr); nr++, reset()) {
		recover(0);
		assert_as_before();
		assert_no_file();
	}
	assert_true(nr > 60);
	assert_as_before();
	done();
}

static void apply_only(void)
{
	struct journal journal;
	apply(&journal);
	_exit(0);
}

static void run_apart(void (*what)(void))
{
	int status;
	pid_t pid = fork();
	if (pid == 0) {
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_kill_at_every_call_of_recovery(void **state)
{
	bool was_killed = true;
	for (int nr = 1; was_killed; nr++) {
		reset();
		run_apart(apply_only);
		was_killed = is_killed_at(recover_quietly, nr);
		recover(0);
		assert_as_before();
		assert_no_file();
	}
	done();
}

static void test_somebody_elses_value_stays(void **state)
{
	reset();
	run_apart(apply_only);
	set_value(1, "mine");
	struct journal_counts counts = recover(0);
	assert_string_equal(world->values[1], "mine");
	assert_string_equal(world->values[0], "was 0%");
	assert_int_equal(counts.nr_journals, 1);
	assert_int_equal(counts.nr_restored, NR_OBJECTS - 1);
	assert_int_equal(counts.nr_left_alone, 1);
	/* What is undone is not undone again: a value that was berth's is now somebody's wish. */
	set_value(0, "new");
	assert_int_equal(recover(0).nr_journals, 0);
	assert_string_equal(world->values[0], "new");
	done();
}

static void test_living_owner_is_not_touched(void **state)
{
	reset();
	run_apart(apply_only);
	world->is_alive = true;
	assert_int_equal(recover(0).nr_alive, 1);
	assert_string_equal(world->values[0], "new");
	world->is_alive = false;
	assert_int_equal(recover(0).nr_alive, 0);
	assert_as_before();
	done();
}

static void test_failure_keeps_the_journal(void **state)
{
	reset();
	run_apart(apply_only);
	world->fails = true;
	struct journal_counts counts = recover(-EIO);
	assert_int_equal(counts.nr_failed, NR_OBJECTS);
	assert_int_equal(counts.nr_journals, 0);
	world->fails = false;
	assert_int_equal(recover(0).nr_restored, NR_OBJECTS);
	assert_no_file();
	done();
}

static void test_other_boot_is_only_removed(void **state)
{
	struct journal_counts counts;
	reset();
	run_apart(apply_only);
	assert_int_equal(journal_recover(folder_fd, "other", &ops, NULL, &counts, NULL), 0);
	assert_int_equal(counts.nr_other_boot, 1);
	assert_int_equal(world->nr_calls, 0);
	assert_no_file();
	done();
}

static size_t read_whole(char *text, size_t size)
{
	int fd = openat(folder_fd, "4711-238247.journal", O_RDONLY);
	ssize_t nr = read(fd, text, size);
	close(fd);
	assert_true(nr > 0 && (size_t)nr < size);
	return (size_t)nr;
}

static void put_file(const char *text, size_t len)
{
	int fd = openat(folder_fd, "4711-238247.journal", O_WRONLY | O_CREAT | O_TRUNC, 0644);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
}

/* Cut anywhere, what is whole counts: recovery never writes a value that was no original. */
static void test_cut_and_damaged_anywhere(void **state)
{
	static char text[4096], bad[4096];
	reset();
	run_apart(apply_only);
	size_t len = read_whole(text, sizeof(text));
	for (size_t cut = 0; cut <= len; cut++) {
		reset();
		put_file(text, cut);
		recover(0);
		assert_as_before();
		assert_no_file();
	}
	for (size_t at = 0; at < len; at++) {
		for (int bit = 0; bit < 8; bit += 3) {
			memcpy(bad, text, len);
			bad[at] ^= (char)(1 << bit);
			reset();
			put_file(bad, len);
			recover(0);
			assert_as_before();
			assert_no_file();
		}
	}
	done();
}

static void test_damage_costs_one_line(void **state)
{
	static char text[4096];
	reset();
	run_apart(apply_only);
	size_t len = read_whole(text, sizeof(text));
	char *line = strstr(text, "change 2 ");
	assert_non_null(line);
	line[9] = 'X';
	put_file(text, len);
	struct journal_counts counts = recover(0);
	assert_int_equal(counts.nr_damaged, 2); /* and the value of the change that is lost */
	assert_int_equal(counts.nr_restored, NR_OBJECTS - 1);
	assert_string_equal(world->values[0], "was 0%");
	assert_string_equal(world->values[1], "new");
	assert_string_equal(world->values[2], "was 2%");
	done();
}

/* Processes that come and go: 20 times as many as there may be changes, one at a time beside those
 * that stay. */
static void come_and_go(struct journal *journal, int nr, uint64_t min_bytes, uint64_t *ret_max)
{
	uint32_t change;
	char value[16];
	for (int i = 0; i < nr; i++) {
		snprintf(value, sizeof(value), "%d", i);
		assert_int_equal(
			journal_add_change(journal, "cell", "3", world->values[3], &change, NULL),
			0);
		assert_true(change <= NR_OBJECTS);
		write_value(journal, 3, change, value);
		assert_int_equal(journal_undo_change(journal, change, &ops, NULL, NULL), 0);
		assert_int_equal(journal_compact(journal, min_bytes, NULL), 0);
		*ret_max = MAX(*ret_max, journal->nr_bytes);
	}
}

static void test_a_long_life_fills_nothing(void **state)
{
	struct journal journal, loaded;
	uint64_t max_bytes = 0;
	reset();
	apply(&journal);
	set_value(3, ""); /* as before: its first change finds nothing to do */
	come_and_go(&journal, 2 * JOURNAL_MAX_CHANGES, 8192, &max_bytes);
	assert_true(max_bytes < 8192 + 256);
	assert_int_equal(journal.nr_changes, NR_OBJECTS + 1);
	struct stat status;
	assert_int_equal(fstatat(folder_fd, journal.name, &status, 0), 0);
	assert_int_equal(status.st_size, journal.nr_bytes);
	assert_int_equal(journal_load(folder_fd, journal.name, &loaded), 0);
	assert_int_equal(loaded.nr_damaged, 0);
	for (int i = 0; i < NR_OBJECTS; i++) {
		assert_string_equal(loaded.changes[i].object, journal.changes[i].object);
		assert_string_equal(loaded.changes[i].original, journal.changes[i].original);
		assert_int_equal(loaded.changes[i].nr_values, journal.changes[i].nr_values);
		assert_false(loaded.changes[i].is_undone);
	}
	close(loaded.fd);
	loaded.fd = -1;
	journal_fini(&loaded);
	assert_int_equal(journal_undo(&journal, &ops, NULL, NULL), 0);
	journal_fini(&journal);
	assert_as_before();
	assert_no_file();
	done();
}

static void apply_and_compact(void)
{
	struct journal journal;
	uint64_t max_bytes = 0;
	apply(&journal);
	journal_undo_change(&journal, 3, &ops, NULL, NULL);
	journal_undo_change(&journal, 1, &ops, NULL, NULL);
	come_and_go(&journal, 4, 0, &max_bytes);
	write_value(&journal, 2, 2, "once more");
	_exit(0);
}

static void assert_nothing_new(void)
{
	struct stat status;
	assert_int_equal(fstatat(folder_fd, "4711-238247.journal.new", &status, 0), -1);
}

static void test_kill_at_every_call_of_compacting(void **state)
{
	int nr = 1;
	for (reset(); is_killed_at(apply_and_compact, nr); nr++, reset()) {
		recover(0);
		assert_as_before();
		assert_no_file();
		assert_nothing_new();
	}
	assert_true(nr > 100);
	recover(0);
	assert_as_before();
	done();
}

/* Nothing undone, or little: nothing is written. A directory that takes no file: as it was. */
static void test_compacting_only_where_it_pays(void **state)
{
	struct journal journal;
	PRINTBUF(err);
	reset();
	apply(&journal);
	uint64_t nr_bytes = journal.nr_bytes;
	assert_int_equal(journal_compact(&journal, 0, &err), 0);
	assert_int_equal(journal.nr_bytes, nr_bytes);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(journal_undo_change(&journal, i, &ops, NULL, NULL), 0);
	nr_bytes = journal.nr_bytes;
	assert_int_equal(journal_compact(&journal, nr_bytes + 1, &err), 0);
	assert_int_equal(journal.nr_bytes, nr_bytes);
	assert_int_equal(mkdirat(folder_fd, "4711-238247.journal.new", 0755), 0);
	assert_int_equal(journal_compact(&journal, 0, &err), -EEXIST);
	assert_int_equal(journal.nr_bytes, nr_bytes);
	assert_int_equal(unlinkat(folder_fd, "4711-238247.journal.new", AT_REMOVEDIR), 0);
	assert_int_equal(journal_compact(&journal, 0, NULL), 0);
	assert_true(journal.nr_bytes <= nr_bytes / 2);
	assert_int_equal(journal_undo(&journal, &ops, NULL, NULL), 0);
	journal_fini(&journal);
	assert_as_before();
	assert_no_file();
	done();
}

static void test_names(void **state)
{
	struct journal_owner owner;
	assert_true(journal_parse_name("4711-238247.journal", &owner));
	assert_int_equal(owner.pid, 4711);
	assert_int_equal(owner.start_ticks, 238247);
	const char *const bad[] = { "",
				    "4711",
				    "4711-.journal",
				    "-1-2.journal",
				    "1-2.journal2",
				    "01-2.journal",
				    "1-2.journa",
				    "x1-2.journal",
				    " 1-2.journal" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(journal_parse_name(bad[i], &owner));
}

static void test_full_journal_refuses(void **state)
{
	struct journal journal;
	uint32_t change;
	char value[16];
	PRINTBUF(err);
	reset();
	assert_int_equal(journal_create(folder_fd, &self, &journal, NULL), 0);
	assert_int_equal(journal_create(folder_fd, &self, &journal, &err), -EEXIST);
	assert_int_equal(journal_add_change(&journal, "cell", "0", "was 0%", &change, NULL), 0);
	for (int i = 0; i < JOURNAL_MAX_VALUES; i++) {
		snprintf(value, sizeof(value), "%d", i);
		assert_int_equal(journal_add_value(&journal, change, value, NULL), 0);
	}
	assert_int_equal(journal_add_value(&journal, change, "7", NULL), 0); /* known */
	assert_int_equal(journal_add_value(&journal, change, "more", &err), -ENOSPC);
	assert_false(journal_value_is_known(&journal.changes[change], "more"));
	assert_int_equal(journal_undo(&journal, &ops, NULL, NULL), 0);
	journal_fini(&journal);
	done();
}
