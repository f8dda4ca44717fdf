/* SPDX-License-Identifier: MIT */
/* Runs a fuzz target over the files named: the seed corpus as an ordinary test, under gcc too. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *file = fopen(path, "rb");
	if (!file) {
		perror(path);
		return 1;
	}
	fseek(file, 0, SEEK_END);
	long size = ftell(file);
	rewind(file);
	uint8_t *data = malloc(size > 0 ? (size_t)size : 1);
	size_t nr_read = data && size > 0 ? fread(data, 1, (size_t)size, file) : 0;
	fclose(file);
	LLVMFuzzerTestOneInput(data, nr_read);
	free(data);
	return 0;
}

int main(int argc, char **argv)
{
	int failed = 0;
	for (int i = 1; i < argc; i++)
		failed |= replay_file(argv[i]);
	printf("%d inputs\n", argc - 1);
	return failed;
}
