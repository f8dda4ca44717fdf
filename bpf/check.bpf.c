/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's side of check.h; never installed. */
#include "kernel.h"

#pragma GCC visibility push(hidden)
#include "policy/cpu/soft.c"
#pragma GCC visibility pop

#include "check.h"

char gpl[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, uint32_t);
	__type(value, struct check_request);
} berth_check SEC(".maps");

SEC("syscall")
int check_run(void *context)
{
	uint32_t key = 0;
	struct check_request *request = bpf_map_lookup_elem(&berth_check, &key);
	int i;
	if (!request)
		return -EINVAL;
	check.sum = 0;
	bpf_for(i, 0, request->nr)
	{
		check_one(request->seed, request->first + (uint64_t)i);
	}
	request->ret_checksum = check.sum;
	return 0;
}
