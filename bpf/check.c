/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * berth-scx-check OBJECT NR SEED: runs the rule on NR random inputs in the kernel and here, and
 * compares (check.h). 0: the same; 1: not, and the first input that differs is named; 2: it could
 * not be run. A test's program; never installed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cpu/soft.h"

#include "check.h"

static uint64_t run_here(uint64_t seed, uint64_t first, uint64_t nr)
{
	check.sum = 0;
	for (uint64_t i = 0; i < nr; i++)
		check_one(seed, first + i);
	return check.sum;
}

static uint64_t run_in_kernel(struct bpf_object *object, uint64_t seed, uint64_t first, uint64_t nr)
{
	int map = bpf_object__find_map_fd_by_name(object, "berth_check");
	int program = bpf_program__fd(bpf_object__find_program_by_name(object, "check_run"));
	struct check_request request = { .seed = seed, .first = first, .nr = nr };
	uint32_t key = 0;
	LIBBPF_OPTS(bpf_test_run_opts, options);
	if (bpf_map_update_elem(map, &key, &request, BPF_ANY) < 0 ||
	    bpf_prog_test_run_opts(program, &options) < 0 || options.retval != 0 ||
	    bpf_map_lookup_elem(map, &key, &request) < 0) {
		fprintf(stderr, "cannot be run in the kernel: %s\n", strerror(errno));
		exit(2);
	}
	return request.ret_checksum;
}

/* The first input of [0, nr) that differs, given that one does. */
static uint64_t first_difference(struct bpf_object *object, uint64_t seed, uint64_t nr)
{
	uint64_t low = 0, high = nr;
	while (high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		bool is_same = run_here(seed, low, middle - low) ==
			       run_in_kernel(object, seed, low, middle - low);
		if (is_same)
			low = middle;
		else
			high = middle;
	}
	return low;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	uint64_t nr = strtoull(argv[2], NULL, 10), seed = strtoull(argv[3], NULL, 10);
	struct bpf_object *object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object) < 0) {
		fprintf(stderr, "%s: cannot be loaded: %s\n", argv[1], strerror(errno));
		return 2;
	}
	uint64_t here = run_here(seed, 0, nr), there = run_in_kernel(object, seed, 0, nr);
	printf("%llu inputs: %016llx here, %016llx in the kernel\n", (unsigned long long)nr,
	       (unsigned long long)here, (unsigned long long)there);
	if (here != there)
		printf("input %llu of seed %llu differs\n",
		       (unsigned long long)first_difference(object, seed, nr),
		       (unsigned long long)seed);
	bpf_object__close(object);
	return here != there;
}
