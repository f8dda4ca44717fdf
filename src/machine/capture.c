/* SPDX-License-Identifier: MIT */
/*
 * A machine into a tar that opens again to the same machine.
 *
 * Only what discovery reads goes in: of meminfo and vmstat the few lines used, of dax devices the
 * kind of bus and the node. No host name, serial number, process or CPU model. Times and owners in
 * the tar are 0, so that the same machine gives the same bytes (but for free memory).
 *
 * Cost: a few KiB per CPU while it is built in memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/units.h"
#include "machine/discover.h"
#include "machine/tar.h"

#define CPUS	 "sys/devices/system/cpu"
#define NODES	 "sys/devices/system/node"
#define TIERS	 "sys/devices/virtual/memory_tiering"
#define DAX	 "sys/bus/dax/devices"
#define MAX_PATH 256 /* of a directory */
#define MAX_FILE 512 /* of a file in one */

struct capture {
	const struct root *root;
	struct printbuf *out;
};

static int add_text(struct capture *capture, const char *path, const char *text)
{
	PRINTBUF(line);
	prt_printf(&line, "%s\n", text);
	return tar_add_file(capture->out, path, printbuf_str(&line), line.pos);
}

/* A file that is not there is not there in the tar either. */
static int add(struct capture *capture, const char *path)
{
	char *text = NULL;
	if (root_read(capture->root, path, &text))
		return 0;
	int error = add_text(capture, path, text);
	free(text);
	return error;
}

static int add_of(struct capture *capture, const char *directory, const char *const files[],
		  size_t nr_files)
{
	int error = 0;
	for (size_t i = 0; i < nr_files && !error; i++) {
		PRINTBUF(path);
		prt_printf(&path, "%s/%s", directory, files[i]);
		error = add(capture, printbuf_str(&path));
	}
	return error;
}

/* Only the lines that hold one of the words. */
static int add_lines(struct capture *capture, const char *path, const char *word,
		     const char *other_word)
{
	PRINTBUF(kept);
	char *text = NULL;
	if (root_read(capture->root, path, &text))
		return 0;
	for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
		if (!strstr(line, word) && !(other_word && strstr(line, other_word)))
			continue;
		prt_printf(&kept, "%s%s", kept.pos ? "\n" : "", line);
	}
	free(text);
	return add_text(capture, path, printbuf_str(&kept));
}

static int add_link(struct capture *capture, const char *directory, const char *name,
		    const char *target_directory)
{
	PRINTBUF(path);
	PRINTBUF(target);
	prt_printf(&path, "%s/%s", directory, name);
	prt_printf(&target, "%s/%s", target_directory, name);
	return tar_add_link(capture->out, printbuf_str(&path), printbuf_str(&target));
}

static int add_hmat(struct capture *capture, const char *node, unsigned access)
{
	static const char *const files[] = { "read_latency", "read_bandwidth", "write_latency",
					     "write_bandwidth" };
	char directory[MAX_FILE];
	struct root_names names = { 0 };
	snprintf(directory, sizeof(directory), "%s/access%u/initiators", node, access);
	if (root_list(capture->root, directory, &names))
		return 0;
	int error = add_of(capture, directory, files, ARRAY_SIZE(files));
	for (size_t i = 0; i < names.nr && !error; i++)
		if (root_name_number(names.items[i], "node") >= 0)
			error = add_link(capture, directory, names.items[i], "../../..");
	root_names_fini(&names);
	return error;
}

static int add_node(struct capture *capture, const char *name)
{
	static const char *const files[] = { "cpulist", "cpumap", "distance" };
	char directory[MAX_PATH], path[MAX_FILE];
	struct root_names names = { 0 };
	snprintf(directory, sizeof(directory), NODES "/%.64s", name);
	int error = add_of(capture, directory, files, ARRAY_SIZE(files));
	snprintf(path, sizeof(path), "%s/meminfo", directory);
	if (!error)
		error = add_lines(capture, path, "MemTotal:", "MemFree:");
	snprintf(path, sizeof(path), "%s/vmstat", directory);
	if (!error)
		error = add_lines(capture, path, "nr_free_pages ", NULL);
	for (unsigned access = 0; access < 2 && !error; access++)
		error = add_hmat(capture, directory, access);
	if (error || root_list(capture->root, directory, &names))
		return error;
	for (size_t i = 0; i < names.nr && !error; i++)
		if (root_name_number(names.items[i], "cpu") >= 0)
			error = add_link(capture, directory, names.items[i], "../../cpu");
	root_names_fini(&names);
	return error;
}

static int add_cpu(struct capture *capture, const char *name)
{
	static const char *const files[] = {
		"online",
		"topology/core_cpus",
		"topology/thread_siblings",
		"topology/core_id",
		"topology/package_cpus",
		"topology/core_siblings",
		"topology/physical_package_id",
	};
	char directory[MAX_PATH];
	snprintf(directory, sizeof(directory), CPUS "/%.64s", name);
	return add_of(capture, directory, files, ARRAY_SIZE(files));
}

static int add_tier(struct capture *capture, const char *name)
{
	char path[MAX_PATH];
	snprintf(path, sizeof(path), TIERS "/%.64s/nodelist", name);
	return add(capture, path);
}

/* The path of a dax device may hold addresses and names of hardware: only the kind of bus is kept,
 * as a directory of its own that the link leads to. */
static int add_dax(struct capture *capture, const char *name)
{
	char path[MAX_PATH], target[1024];
	char *text = NULL;
	snprintf(path, sizeof(path), DAX "/%.64s", name);
	if (root_readlink(capture->root, path, target, sizeof(target)))
		return 0;
	const char *bus = strstr(target, "/ndbus") || strstr(target, "nd_")	? "ndbus0"
			  : strstr(target, "cxl") || strstr(target, "ACPI0017") ? "cxl"
										: "hmem";
	snprintf(path, sizeof(path), DAX "/%.64s/target_node", name);
	if (root_read(capture->root, path, &text))
		return 0;
	snprintf(path, sizeof(path), "sys/devices/%s/%.64s/target_node", bus, name);
	int error = add_text(capture, path, text);
	free(text);
	snprintf(target, sizeof(target), "../../../devices/%s", bus);
	return error ? error : add_link(capture, DAX, name, target);
}

static int add_each(struct capture *capture, const char *directory, const char *prefix,
		    int (*add_one)(struct capture *capture, const char *name))
{
	struct root_names names = { 0 };
	int error = 0;
	if (root_list(capture->root, directory, &names))
		return 0;
	for (size_t i = 0; i < names.nr && !error; i++)
		if (strlen(names.items[i]) < 64 &&
		    (!prefix || root_name_number(names.items[i], prefix) >= 0))
			error = add_one(capture, names.items[i]);
	root_names_fini(&names);
	return error;
}

static int add_machine(struct capture *capture)
{
	static const char *const files[] = {
		CPUS "/online",	  CPUS "/offline",     CPUS "/possible",
		CPUS "/present",  NODES "/online",     NODES "/possible",
		NODES "/has_cpu", NODES "/has_memory", "sys/kernel/mm/numa/demotion_enabled",
	};
	int error = 0;
	for (size_t i = 0; i < ARRAY_SIZE(files) && !error; i++)
		error = add(capture, files[i]);
	if (!error)
		error = add_lines(capture, "proc/meminfo", "MemTotal:", NULL);
	if (!error)
		error = add_lines(capture, "proc/cpuinfo", "processor", NULL);
	if (!error)
		error = add_each(capture, NODES, "node", add_node);
	if (!error)
		error = add_each(capture, CPUS, "cpu", add_cpu);
	if (!error)
		error = add_each(capture, TIERS, "memory_tier", add_tier);
	if (!error)
		error = add_each(capture, DAX, NULL, add_dax);
	return error;
}

int machine_capture(const char *argument, struct printbuf *out, struct printbuf *err)
{
	struct root root;
	int error = root_open_argument(argument, &root, err);
	if (error)
		return error;
	struct capture capture = { .root = &root, .out = out };
	error = add_machine(&capture);
	tar_finish(out);
	root_fini(&root);
	if (error || printbuf_has_error(out))
		return error_set(err, error ? error : -ENOMEM, "%s: cannot put it into a tar: %s",
				 argument, error_text(error ? error : -ENOMEM));
	return 0;
}
