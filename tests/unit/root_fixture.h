/* SPDX-License-Identifier: MIT */
/* A root of files that a test makes one by one (`put`), in a folder that ends with the test. */
#ifndef BERTH_TEST_ROOT_FIXTURE_H
#define BERTH_TEST_ROOT_FIXTURE_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/printbuf.h"
#include "machine/root.h"

static char folder[64];
static struct root root;

static void put(const char *path, const char *text)
{
	char whole[256];
	snprintf(whole, sizeof(whole), "%s/%s", folder, path);
	for (char *at = strchr(whole + 1, '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(whole, 0700);
		*at = '/';
	}
	FILE *file = fopen(whole, "w");
	assert_non_null(file);
	fprintf(file, "%s\n", text);
	fclose(file);
}

static void root_begin(void)
{
	strcpy(folder, "/tmp/berth-root-XXXXXX");
	assert_non_null(mkdtemp(folder));
	root = (struct root){ .fd = open(folder, O_PATH | O_DIRECTORY), .path = folder };
}

static void root_end(void)
{
	PRINTBUF(command);
	close(root.fd);
	prt_printf(&command, "rm -r %s", folder);
	assert_int_equal(system(printbuf_str(&command)), 0);
}

#endif
