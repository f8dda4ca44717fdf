/* SPDX-License-Identifier: MIT */
/* What a process has mapped, from files as /proc shows them: good lines, odd ones and none. */
#include "test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "linux/devices.h"
#include "linux/live.h"

struct fixture {
	char directory[32], maps[64];
	struct root root;
	struct machine *machine;
	struct live live;
	struct live_space space;
};

static void begin(struct fixture *fixture)
{
	char path[64];
	memset(fixture, 0, sizeof(*fixture));
	strcpy(fixture->directory, "/tmp/berth-maps-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(path, sizeof(path), "%s/proc", fixture->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/proc/7", fixture->directory);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(fixture->maps, sizeof(fixture->maps), "%s/proc/7/maps", fixture->directory);
	assert_int_equal(machine_parse("node:dram:1GiB@80ns:cpus=0 node:cxl:1GiB@250ns",
				       &fixture->machine, NULL),
			 0);
	fixture->root.fd = open(fixture->directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
	fixture->live.root = &fixture->root;
	fixture->live.machine = fixture->machine;
	fixture->space = (struct live_space){ .pid = 7, .pidfd = -1 };
}

static void end(struct fixture *fixture)
{
	char path[64];
	unlink(fixture->maps);
	snprintf(path, sizeof(path), "%s/proc/7", fixture->directory);
	rmdir(path);
	snprintf(path, sizeof(path), "%s/proc", fixture->directory);
	rmdir(path);
	rmdir(fixture->directory);
	close(fixture->root.fd);
	machine_free(fixture->machine);
}

static int areas_of(struct fixture *fixture, const char *text, struct live_areas *ret)
{
	FILE *file = fopen(fixture->maps, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	return live_areas(&fixture->live, &fixture->space, ret);
}

static void test_areas_of_a_process(void **state)
{
	struct fixture fixture;
	struct live_areas areas;
	(void)state;
	begin(&fixture);
	assert_int_equal(live_areas(&fixture.live, &fixture.space, &areas), -ESRCH);
	assert_int_equal(
		areas_of(&fixture,
			 "00400000-00402000 r--p 00000000 08:01 11   /bin/a\n"
			 "00402000-00410000 r-xp 00002000 08:01 11   /bin/a\n"
			 "00600000-00601000 ---p 00000000 00:00 0 \n"
			 "00601000-00700000 rw-p 00000000 00:00 0    [heap]\n"
			 "7ffd00000000-7ffd00004000 r--p 00000000 00:00 0 [vvar]\n"
			 "7ffd00004000-7ffd00006000 r-xp 00000000 00:00 0 [vdso]\n"
			 "ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n",
			 &areas),
		0);
	assert_int_equal(areas.nr, 2);
	assert_int_equal(areas.items[0].first, 0x400);
	assert_int_equal(areas.items[0].end, 0x410);
	assert_int_equal(areas.items[1].first, 0x601);
	assert_int_equal(areas.items[1].end, 0x700);
	live_areas_fini(&areas);
	end(&fixture);
}

static void test_lines_that_make_no_sense(void **state)
{
	struct fixture fixture;
	struct live_areas areas;
	(void)state;
	begin(&fixture);
	assert_int_equal(areas_of(&fixture,
				  "\n-\nnothing\n00002000-00001000 rw-p\n00001000-00001000 rw-p\n"
				  "00001000-00001fff rw-p\n00003000-00004000\n"
				  "00003000-00004000 \n00003000\n00003000-zz rw-p\n"
				  "00005000-00006000 rw-p",
				  &areas),
			 0);
	assert_int_equal(areas.nr, 1);
	assert_int_equal(areas.items[0].first, 5);
	live_areas_fini(&areas);
	assert_int_equal(areas_of(&fixture, "", &areas), 0);
	assert_int_equal(areas.nr, 0);
	end(&fixture);
}

/* Every second page: areas grow as they come. */
static void test_many_areas(void **state)
{
	struct fixture fixture;
	struct live_areas areas;
	char *text = malloc(2000 * 40), *at = text;
	(void)state;
	begin(&fixture);
	for (unsigned i = 0; i < 2000; i++)
		at += sprintf(at, "%08x-%08x rw-p 0 00:00 0\n", 2 * i << 12, (2 * i + 1) << 12);
	assert_int_equal(areas_of(&fixture, text, &areas), 0);
	assert_int_equal(areas.nr, 2000);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(areas.items[i].first, 2 * i);
	live_areas_fini(&areas);
	end(&fixture);
	free(text);
}

static void test_devices_are_told_by_their_names(void **state)
{
	static const struct {
		const char *name;
		bool is_device;
	} cases[] = {
		{ "/dmabuf:", true },
		{ "/dmabuf:camera", true },
		{ "anon_inode:i915.gem", true },
		{ "/dev/dri/renderD128", true },
		{ "/dev/zero (deleted)", false },
		{ "/dev/shm/ring", false },
		{ "/dev/hugepages/a", false },
		{ "/home/dev/a", false },
		{ "[heap]", false },
		{ "", false },
	};
	static struct devices devices;
	struct fixture fixture;
	struct live_areas areas;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(devices_is_name(cases[i].name), cases[i].is_device);
	begin(&fixture);
	assert_int_equal(
		areas_of(&fixture,
			 "00001000-00003000 rw-p 00000000 00:00 0\n"
			 "00003000-00004000 rw-s 00000000 00:0b 2        /dmabuf:\n"
			 "00005000-00007000 rw-s 00000000 00:05 9  /dev/nvidia0 (deleted)\n"
			 "00008000-00009000 rw-s 00000000 00:01 4  /dev/zero (deleted)\n"
			 "nothing\n",
			 &areas),
		0);
	live_areas_fini(&areas);
	devices_find(&fixture.root, 7, 4096, &devices);
	assert_int_equal(devices.nr, 2);
	for (uint64_t page = 0; page < 12; page++)
		assert_int_equal(devices_hold(&devices, page), page == 3 || page == 5 || page == 6);
	devices_find(&fixture.root, 8, 4096, &devices); /* no such process */
	assert_int_equal(devices.nr, 0);
	end(&fixture);
}
