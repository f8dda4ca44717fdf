/* SPDX-License-Identifier: MIT */
/*
 * A captured root as a tar: unpacking it, and every file of it that berth itself reads. hwloc,
 * which runs in a child of its own, is stood in for by the node directories that are there.
 * Checksums of tar headers are put right first, or nothing would get past them. Nothing may be
 * unpacked outside the temporary directory: a neighbour of it is looked for after each run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/discover.h"
#include "machine/machine.h"

#define BLOCK		512
#define CHECKSUM_OFFSET 148
#define SIZE_OFFSET	124

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void put_checksum(uint8_t *header)
{
	unsigned sum = 0;
	char text[8];
	memset(header + CHECKSUM_OFFSET, ' ', sizeof(text));
	for (size_t i = 0; i < BLOCK; i++)
		sum += header[i];
	snprintf(text, sizeof(text), "%06o", sum);
	memcpy(header + CHECKSUM_OFFSET, text, 7);
}

static bool is_zero(const uint8_t *block)
{
	for (size_t i = 0; i < BLOCK; i++)
		if (block[i])
			return false;
	return true;
}

/* Header by header, as far as sizes lead; a block of zeros ends the tar. */
static void put_checksums(uint8_t *tar, size_t size)
{
	for (size_t at = 0; at + BLOCK <= size && !is_zero(tar + at);) {
		char octal[13] = { 0 };
		memcpy(octal, tar + at + SIZE_OFFSET, 12);
		unsigned long contents = strtoul(octal, NULL, 8);
		put_checksum(tar + at);
		if (contents > size)
			return;
		at += BLOCK + (contents + BLOCK - 1) / BLOCK * BLOCK;
	}
}

/* Every node of the root, of 1 GiB, sharing all CPUs. */
static int stand_in(const struct root *root, struct probe *ret)
{
	PRINTBUF(text);
	struct root_names names = { 0 };
	if (root_list(root, "sys/devices/system/node", &names))
		return -ENOENT;
	for (size_t i = 0; i < names.nr && i < 64; i++) {
		int64_t id = root_name_number(names.items[i], "node");
		if (id >= 0)
			prt_printf(&text, "node %lld 1073741824 0-7 -\n", (long long)id);
	}
	root_names_fini(&names);
	prt_str(&text, "end\n");
	return probe_parse(printbuf_str(&text), text.pos, ret);
}

static void read_machine(const struct root *root)
{
	PRINTBUF(err);
	PRINTBUF(text);
	struct probe probe = { 0 };
	struct machine *machine = NULL;
	if (stand_in(root, &probe))
		return;
	int error = discover_probe(root, &probe, "fuzz", &machine, &err);
	demand(!error == (machine != NULL) && (!error || err.pos > 0));
	if (error)
		return;
	demand(machine_is_valid(machine));
	machine_to_text(&text, machine);
	machine_to_line(&text, machine);
	machine_free(machine);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	PRINTBUF(err);
	char path[64];
	struct root root;
	int fd = memfd_create("root", MFD_CLOEXEC);
	uint8_t *tar = malloc(size + 1);
	demand(fd >= 0 && tar);
	memcpy(tar, data, size);
	put_checksums(tar, size);
	demand(write(fd, tar, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int error = root_open_tar(path, &root, &err);
	demand(!error == !err.pos);
	if (!error) {
		read_machine(&root);
		root_fini(&root);
	}
	demand(access("/dev/shm/berth-escaped", F_OK) < 0 &&
	       access("/tmp/berth-escaped", F_OK) < 0);
	free(tar);
	close(fd);
	return 0;
}
