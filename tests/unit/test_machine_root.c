/* SPDX-License-Identifier: MIT */
/* Roots, tars and what comes back from hwloc's child: what is refused, and what is made of the
 * rest. */
#include "test.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/discover.h"
#include "machine/tar.h"

/* A tar in memory, as a path. */
static void put_tar(const struct printbuf *tar, char path[64], int *ret_fd)
{
	*ret_fd = memfd_create("tar", MFD_CLOEXEC);
	assert_true(*ret_fd >= 0);
	assert_int_equal(write(*ret_fd, tar->buf, tar->pos), tar->pos);
	snprintf(path, 64, "/proc/self/fd/%d", *ret_fd);
}

static int open_tar(const struct printbuf *tar, struct root *ret, struct printbuf *err)
{
	char path[64];
	int fd;
	put_tar(tar, path, &fd);
	int error = root_open_tar(path, ret, err);
	close(fd);
	return error;
}

static void add_file(struct printbuf *tar, const char *name, const char *text)
{
	assert_int_equal(tar_add_file(tar, name, text, strlen(text)), 0);
}

static void test_tar_round_trip(void **state)
{
	PRINTBUF(tar);
	struct root root;
	char *text = NULL, target[64];
	char deep[] = "sys/devices/system/node/a-directory-with-a-long-name-to-need-the-prefix-of-"
		      "ustar/and-another-one-so-that-it-is-over-one-hundred/file";
	add_file(&tar, "sys/devices/system/node/node0/cpulist", "0-3\n");
	add_file(&tar, deep, "deep\n");
	assert_int_equal(tar_add_link(&tar, "sys/devices/system/node/link", "../cpu/x"), 0);
	tar_finish(&tar);
	assert_int_equal(tar.pos % 512, 0);
	assert_int_equal(open_tar(&tar, &root, NULL), 0);
	assert_int_equal(root_read(&root, deep, &text), 0);
	assert_string_equal(text, "deep");
	free(text);
	assert_int_equal(root_readlink(&root, "sys/devices/system/node/link", target, 64), 0);
	assert_string_equal(target, "../cpu/x");
	char *temporary = strdup(root.temporary);
	root_fini(&root);
	assert_int_equal(access(temporary, F_OK), -1);
	free(temporary);
}

static void assert_refused(const struct printbuf *tar, const char *sentence)
{
	PRINTBUF(err);
	struct root root;
	assert_int_equal(open_tar(tar, &root, &err), -EBADMSG);
	if (!strstr(printbuf_str(&err), sentence))
		fail_msg("wanted \"%s\", got \"%s\"", sentence, printbuf_str(&err));
}

static void test_hostile_names_and_links(void **state)
{
	static const char *const names[] = { "../escape", "a/../../escape", "/etc/escape", "a/..",
					     "./../escape" };
	static const struct {
		const char *name, *target;
	} links[] = {
		{ "link", "/etc" },
		{ "link", ".." },
		{ "a/link", "../.." },
		{ "a/link", "b/../.." },
		{ "a/b/link", "../../../x" },
		{ "link", "a/.." },
		{ "link", "" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		PRINTBUF(tar);
		add_file(&tar, "sys/devices/system/node/online", "0\n");
		add_file(&tar, names[i], "x");
		tar_finish(&tar);
		assert_refused(&tar, "leads out of the root");
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		PRINTBUF(tar);
		assert_int_equal(tar_add_link(&tar, links[i].name, links[i].target), 0);
		tar_finish(&tar);
		assert_refused(&tar, "leaves the root");
	}
}

/* A link may stand where a later name passes through only if that name made a directory first. */
static void test_no_name_passes_through_a_link(void **state)
{
	PRINTBUF(tar);
	assert_int_equal(tar_add_link(&tar, "a", "b/c"), 0);
	assert_int_equal(tar_add_link(&tar, "a/link", "../x"), 0);
	tar_finish(&tar);
	assert_refused(&tar, "File exists");
}

static void test_damaged_tars(void **state)
{
	PRINTBUF(tar);
	add_file(&tar, "sys/devices/system/node/online", "0\n");
	tar_finish(&tar);
	size_t cuts[] = { 513, 700, 1024, 1100 }; /* in contents, in padding, between */
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++) {
		tar.pos = cuts[i];
		assert_refused(&tar, "cut short");
	}
	tar.pos = 2048;
	tar.buf[0] ^= 1;
	assert_refused(&tar, "not a tar file");
	tar.buf[0] ^= 1;
	memcpy(tar.buf + 124, "77777777777", 11); /* 8 GiB, and a checksum that is now wrong */
	assert_refused(&tar, "not a tar file");
	PRINTBUF(empty);
	tar_finish(&empty);
	assert_refused(&empty, "empty tar");
}

static void test_root_stays_below(void **state)
{
	char directory[] = "/tmp/berth-test-XXXXXX", path[256], *text = NULL;
	struct root root;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path),
		 "mkdir -p %s/sys/devices/system/node && "
		 "ln -s /etc/passwd %s/sys/absolute && "
		 "mkfifo %s/sys/fifo",
		 directory, directory, directory);
	assert_int_equal(system(path), 0);
	assert_int_equal(root_open(directory, &root, NULL), 0);
	assert_int_equal(root_read(&root, "sys/absolute", &text), -ENOENT);
	assert_int_equal(root_read(&root, "../../etc/passwd", &text), -ENOENT);
	assert_int_equal(root_read(&root, "sys/fifo", &text), -EINVAL);
	assert_int_equal(root_read(&root, "sys", &text), -EINVAL);
	root_fini(&root);
	tar_remove_tree(directory);
}

static void test_names_with_numbers(void **state)
{
	assert_int_equal(root_name_number("node12", "node"), 12);
	assert_int_equal(root_name_number("node", "node"), -1);
	assert_int_equal(root_name_number("node1x", "node"), -1);
	assert_int_equal(root_name_number("nod1", "node"), -1);
	assert_int_equal(root_name_number("node99999999999999999999", "node"), -1);
}

static void test_bad_answers_of_the_child(void **state)
{
	static const char *const bad[] = {
		"",
		"end\n",
		"node 0 1 - -\n", /* no end */
		"node 0 1 -\nend\n",
		"node 0 1 - - -\nend\n",
		"node x 1 - -\nend\n",
		"node 0 1 3- -\nend\n",
		"node 99999999 1 - -\nend\n",
		"node 0 1 - -\nnode 0 1 - -\nend\n",
		"node 0 1 - aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nend\n",
		"node 0 1 - -\nlatency 0 0\nend\n",
		"node 0 1 - -\nlatency 0 0 x\nend\n",
		"node 0 1 - -\nweight 0 0 1\nend\n",
		"node\nend\n",
		"latency\nend\n",
	};
	struct probe probe;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (probe_parse(bad[i], strlen(bad[i]), &probe) != -EBADMSG)
			fail_msg("taken: %s", bad[i]);
}

static struct machine *probed(const char *text)
{
	PRINTBUF(err);
	struct probe probe;
	struct machine *machine = NULL;
	assert_int_equal(probe_parse(text, strlen(text), &probe), 0);
	if (discover_probe(NULL, &probe, "test", &machine, &err))
		fail_msg("%s", printbuf_str(&err));
	assert_true(machine_is_valid(machine));
	return machine;
}

static void test_shared_cpus_go_to_one_node(void **state)
{
	struct machine *machine = probed("node 0 1024 0-3 MCDRAM\nnode 1 4096 0-3 DRAM\n"
					 "node 2 4096 4-7 DRAM\nnode 3 9999 0-7 NVM\n"
					 "latency 1 0 150\nbandwidth 1 0 400000000000\nend\n");
	assert_true(set_is_empty(&machine->nodes[0].cpus));
	assert_int_equal(set_count(&machine->nodes[1].cpus), 4);
	assert_int_equal(set_count(&machine->nodes[2].cpus), 4);
	assert_true(set_is_empty(&machine->nodes[3].cpus));
	assert_int_equal(machine->nodes[0].kind, NODE_HBM);
	assert_int_equal(machine->nodes[3].kind, NODE_PMEM);
	assert_int_equal(machine_link(machine, 0, 0)->latency_ns, 150);
	assert_int_equal(machine_link(machine, 2, 0)->latency_ns, 150);
	assert_int_equal(machine_link(machine, 1, 0)->latency_source, FIGURE_HMAT);
	machine_free(machine);
}

static void test_kinds_by_figures(void **state)
{
	struct machine *machine = probed(
		"node 0 4096 0-3 -\nnode 1 1024 - -\nnode 2 1024 - -\nnode 3 1024 - -\n"
		"node 4 1024 - -\n"
		"latency 0 0 100\nbandwidth 0 0 100000000000\n"
		"latency 0 1 130\nbandwidth 0 1 400000000000\n"
		"latency 0 2 120\nbandwidth 0 2 80000000000\n"
		"latency 0 3 240\nbandwidth 0 3 50000000000\nend\n");
	assert_int_equal(machine->nodes[1].kind, NODE_HBM);
	assert_int_equal(machine->nodes[2].kind, NODE_DRAM);
	assert_int_equal(machine->nodes[3].kind, NODE_CXL);
	assert_int_equal(machine->nodes[4].kind, NODE_CXL);
	machine_free(machine);
}

static void test_machine_that_makes_no_sense(void **state)
{
	PRINTBUF(err);
	struct probe probe;
	struct machine *machine = NULL;
	const char *text = "node 0 9223372036854775807 0-3 -\nnode 1 9 4 -\nend\n";
	assert_int_equal(probe_parse(text, strlen(text), &probe), 0);
	assert_int_equal(discover_probe(NULL, &probe, "test", &machine, &err), -EBADMSG);
	assert_non_null(strstr(printbuf_str(&err), "test: the nodes together"));
}

/* What hwloc makes of garbage must not reach us as anything but a sentence. */
static void test_xml_of_all_kinds(void **state)
{
	static const char *const texts[] = {
		"<",
		"<topology>",
		"<?xml version=\"1.0\"?><topology version=\"2.0\"></topology>",
		"<topology version=\"2.0\"><object type=\"Machine\" os_index=\"0\" cpuset=\"0x1\"",
	};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		PRINTBUF(err);
		struct probe probe;
		assert_int_equal(probe_xml(texts[i], strlen(texts[i]) + 1, "x.xml", &probe, &err),
				 -EBADMSG);
		assert_non_null(strstr(printbuf_str(&err), "x.xml: "));
	}
}

static void test_host_is_a_machine(void **state)
{
	PRINTBUF(err);
	struct machine *machine = NULL;
	if (machine_open("host", &machine, &err))
		fail_msg("%s", printbuf_str(&err));
	assert_true(machine_is_valid(machine));
	assert_int_equal(machine->page_bytes, sysconf(_SC_PAGESIZE));
	machine_free(machine);
}
