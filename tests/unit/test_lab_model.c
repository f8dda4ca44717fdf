/* SPDX-License-Identifier: MIT */
/* The launcher's end of the latency model: what it asks for, what it makes of the counters. */
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

#include "lab/launcher/lab.h"
#include "lab/launcher/model.h"

static struct lab_counting counting;

static void start(const char *line, enum lab_time time, const struct lab_model_options *options)
{
	struct machine *machine;
	struct lab_layout layout;
	assert_int_equal(machine_parse(line, &machine, NULL), 0);
	assert_int_equal(lab_layout_init(machine, time, &layout, NULL), 0);
	assert_int_equal(lab_counting_init(machine, &layout, time, options, &counting, NULL), 0);
	machine_free(machine);
}

#define TWO_TIERS "node:dram:512MiB@80ns/100GBps:cpus=0-1 node:cxl:1GiB@250ns/30GBps"
#define TWO_SOCKETS                                                                                \
	"node:dram:512MiB@100ns/50GBps:cpus=0:from=1@170ns/30GBps "                                \
	"node:dram:512MiB@100ns/50GBps:cpus=1:from=0@170ns/30GBps"

static void test_two_tiers(void **state)
{
	start(TWO_TIERS, LAB_TIME_DELAY, NULL);
	const struct lab_model *model = &counting.shared->model;
	assert_int_equal(model->version, LAB_MODEL_VERSION);
	assert_int_equal(model->nr_nodes, 2);
	assert_int_equal(model->nr_vcpus, 2);
	assert_int_equal(model->cache_bytes, LAB_CACHE_BYTES);
	assert_int_equal(model->latency_ns[0][0], 80);
	assert_int_equal(model->latency_ns[0][1], 250);
	assert_int_equal(model->bandwidth_bytes_per_s[0][1], 30000000000);
	assert_int_equal(model->ranges[0].start, 0);
	assert_int_equal(model->ranges[0].end, 512 << 20);
	assert_int_equal(model->ranges[1].node, 1);
	/* The fastest node is felt as the constants say; the slow one in proportion. */
	assert_int_equal(model->scale_bp, LAB_FELT_LATENCY_NS * 10000 / 80);
	assert_int_equal(model->line_scale_bp, LAB_FELT_LINE_NS * 1000000 / 64);
	assert_int_equal(model->slack_ns, LAB_FELT_LATENCY_NS);
	assert_false(lab_counting_is_up(&counting));
	lab_counting_fini(&counting);
	lab_counting_fini(&counting);
}

static void test_two_sockets(void **state)
{
	struct lab_model_options options = { .scale_bp = 30000, .cache_ways = 4 };
	start(TWO_SOCKETS, LAB_TIME_DELAY, &options);
	const struct lab_model *model = &counting.shared->model;
	assert_int_equal(model->node_of_vcpu[1], 1);
	assert_int_equal(model->latency_ns[1][0], 170);
	assert_int_equal(model->latency_ns[1][1], 100);
	assert_int_equal(model->latency_ns[0][1], 170);
	assert_int_equal(model->scale_bp, 30000);
	assert_int_equal(model->cache_ways, 4);
	lab_counting_fini(&counting);
}

static void refuse(const struct lab_model_options *options, const char *word)
{
	struct machine *machine;
	struct lab_layout layout;
	struct printbuf err;
	printbuf_init(&err, 0);
	assert_int_equal(machine_parse(TWO_TIERS, &machine, NULL), 0);
	assert_int_equal(lab_layout_init(machine, LAB_TIME_DELAY, &layout, NULL), 0);
	assert_int_equal(
		lab_counting_init(machine, &layout, LAB_TIME_DELAY, options, &counting, &err),
		-EINVAL);
	assert_non_null(strstr(printbuf_str(&err), word));
	printbuf_fini(&err);
	machine_free(machine);
}

static void test_options_that_cannot_be(void **state)
{
	refuse(&(struct lab_model_options){ .cache_ways = 17 }, "17 ways");
	refuse(&(struct lab_model_options){ .cache_bytes = 448 }, "448 bytes");
}

static void test_words(void **state)
{
	start(TWO_TIERS, LAB_TIME_ICOUNT, NULL);
	assert_int_equal(fcntl(counting.fd, F_GETFD), FD_CLOEXEC);
	struct printbuf words;
	char expected[100];
	printbuf_init(&words, 0);
	lab_counting_words(&words, "/a,b/latency.so", &counting, NULL);
	snprintf(expected, sizeof(expected), "/a,,b/latency.so,memory=%d", counting.fd);
	assert_string_equal(printbuf_str(&words), expected);
	printbuf_reset(&words);
	lab_counting_words(&words, "l.so", &counting, "5,x");
	snprintf(expected, sizeof(expected), "l.so,memory=%d,record=5,,x", counting.fd);
	assert_string_equal(printbuf_str(&words), expected);
	printbuf_fini(&words);
	lab_counting_fini(&counting);
}

static void test_counters(void **state)
{
	start(TWO_TIERS, LAB_TIME_DELAY, NULL);
	struct lab_shared *shared = counting.shared;
	shared->vcpus[0].nr_instructions = 1000000;
	shared->vcpus[1].nr_instructions = 500000;
	shared->vcpus[0].counts[0][0].nr_load_misses = 10;
	shared->vcpus[0].counts[5][1].nr_store_misses = 3;
	shared->vcpus[1].counts[5][1].nr_sequential = 300;
	shared->vcpus[1].counts[5][1].wait_ns = 9;
	struct lab_shared *copy = lab_counting_copy(&counting);
	lab_counting_fini(&counting);
	struct lab_count all = lab_count_of(copy, 1, UINT32_MAX);
	assert_int_equal(all.nr_store_misses, 3);
	assert_int_equal(all.nr_sequential, 300);
	assert_int_equal(all.wait_ns, 9);
	assert_int_equal(lab_count_of(copy, 1, 0).nr_sequential, 0);
	assert_int_equal(lab_count_of(copy, 0, 0).nr_load_misses, 10);
	assert_int_equal(lab_instructions_of(copy), 1500000);
	/* 1.5 M at 0.3 ns, 10 at 80 ns, 3 at 250 ns, 300 lines at 64 / 30 ns. */
	assert_int_equal(lab_modelled_ns(copy, 300), 450000 + 800 + 750 + 640);
	free(copy);
}

static void test_snapshots_by_name(void **state)
{
	start(TWO_TIERS, LAB_TIME_DELAY, NULL);
	struct lab_shared *shared = counting.shared;
	assert_int_equal(lab_find_snapshot(shared, 0), UINT32_MAX);
	for (uint32_t i = 0; i < LAB_MAX_SNAPSHOTS + 10; i++) {
		shared->snapshots[i % LAB_MAX_SNAPSHOTS].name = i / 2;
		shared->model.nr_snapshots++;
	}
	assert_int_equal(lab_find_snapshot(shared, 4), UINT32_MAX); /* overwritten */
	assert_int_equal(lab_find_snapshot(shared, 5), 11);
	assert_int_equal(lab_find_snapshot(shared, LAB_MAX_SNAPSHOTS / 2), 1);
	assert_int_equal(lab_find_snapshot(shared, 1 << 20), UINT32_MAX);
	lab_counting_fini(&counting);
}
