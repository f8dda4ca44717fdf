/* SPDX-License-Identifier: MIT */
/* Which berth this is. */
#include "cli/version.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/printbuf.h"

const char *berth_describe = "";

static unsigned long sum_of_program(void)
{
	static unsigned char buffer[65536];
	uLong sum = crc32(0, NULL, 0);
	ssize_t nr = 0;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (nr = read(fd, buffer, sizeof(buffer))) > 0)
		sum = crc32_z(sum, buffer, (size_t)nr);
	if (fd >= 0)
		close(fd);
	return sum;
}

const char *berth_version(void)
{
	static char text[160];
	struct printbuf out;
	if (text[0])
		return text;
	printbuf_init_fixed(&out, text, sizeof(text), 0);
	prt_str(&out, BERTH_VERSION);
	if (*berth_describe)
		prt_printf(&out, " %s", berth_describe);
	if (!*berth_describe || strstr(berth_describe, "-dirty"))
		prt_printf(&out, " crc32:%08lx", sum_of_program());
	return text;
}
