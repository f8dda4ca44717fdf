/* SPDX-License-Identifier: MIT */
/* Numbers, units and sets on any text: what is taken prints exactly and reads back the same. */
#include <stdlib.h>
#include <string.h>

#include "base/printbuf.h"
#include "base/set.h"
#include "base/units.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef int (*parse_fn)(const char *text, uint64_t *ret);
typedef void (*print_fn)(struct printbuf *out, uint64_t value);

static void check(const char *text, parse_fn parse, print_fn print)
{
	uint64_t value = 0, back = 0;
	PRINTBUF(out);
	if (parse(text, &value) < 0)
		return;
	print(&out, value);
	if (parse(printbuf_str(&out), &back) < 0 || back != value)
		abort();
}

/* The C library on what is digits only. */
static void check_digits(const char *text)
{
	uint64_t value = 0;
	size_t len = strspn(text, "0123456789");
	if (len == 0 || text[len])
		return;
	errno = 0;
	uint64_t expected = strtoull(text, NULL, 10);
	int error = parse_u64(text, &value);
	if (error != -errno || (!error && value != expected))
		abort();
}

static void check_set(const char *text)
{
	struct set set, back;
	PRINTBUF(out);
	if (set_parse(text, &set) < 0)
		return;
	set_to_text(&out, &set);
	if (!set_is_valid(&set) || set_parse(printbuf_str(&out), &back) < 0 ||
	    !set_is_equal(&set, &back))
		abort();
	set_fini(&set);
	set_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char text[128];
	double real = 0;
	uint32_t ratio = 0;
	if (size >= sizeof(text))
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	check_digits(text);
	check(text, parse_u64, prt_u64);
	check(text, parse_bytes, prt_bytes_exact);
	check(text, parse_ns, prt_ns_exact);
	check(text, parse_rate, prt_rate_exact);
	check_set(text);
	parse_ratio_bp(text, &ratio);
	if (parse_double(text, &real) == 0 && !(real >= 0))
		abort();
	return 0;
}
