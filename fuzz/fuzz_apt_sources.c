/* SPDX-License-Identifier: MIT */
/* Source entries of any text: what is derived from an entry parses again, to that entry's own. */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/apt_sources.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_derived(const struct apt_entry *entry)
{
	struct apt_entries back = {};
	PRINTBUF(out);
	apt_entry_derive(&out, entry, "one two");
	if (apt_entries_parse(&back, printbuf_str(&out), out.pos, true) < 0)
		abort();
	if (back.nr != 2 || strcmp(back.items[0].uri, entry->uri) != 0 ||
	    strcmp(back.items[1].uri, entry->uri) != 0 || strcmp(back.items[0].suite, "one") != 0 ||
	    strcmp(back.items[1].suite, "two") != 0 || !back.items[0].has_main ||
	    !back.items[0].is_amd64)
		abort();
	if ((entry->signed_by == NULL) != (back.items[0].signed_by == NULL))
		abort();
	if (entry->signed_by && strcmp(entry->signed_by, back.items[0].signed_by) != 0)
		abort();
	apt_entries_fini(&back);
}

/* The first byte says which format. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct apt_entries entries = {};
	if (size == 0 || size > 65536)
		return 0;
	int error = apt_entries_parse(&entries, (const char *)data + 1, size - 1, data[0] & 1);
	if (error && error != -E2BIG)
		abort();
	for (size_t i = 0; i < entries.nr && i < 64; i++)
		check_derived(&entries.items[i]);
	const struct apt_entry *entry = apt_entries_find(&entries, "bookworm", "bookworm");
	if (entry && (strcmp(entry->suite, "bookworm") != 0 || !entry->has_main))
		abort();
	apt_entries_fini(&entries);
	return 0;
}
