/* SPDX-License-Identifier: MIT */
/* What apt says, any text: records, plans, status lines, messages; names stay names. */
#include <stdlib.h>
#include <string.h>

#include "lab/launcher/apt_records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_packages(struct apt_packages *packages)
{
	for (size_t i = 0; i < packages->nr; i++) {
		const struct apt_package *package = &packages->items[i];
		if (strchr(package->name, '/') || strchr(package->version, '/') ||
		    package->name[0] == '-' || package->name[0] == '.')
			abort();
		if (deb_version_compare(package->version, package->version) != 0)
			abort();
		int order = deb_version_compare(package->version, packages->items[0].version);
		int back = deb_version_compare(packages->items[0].version, package->version);
		if ((order > 0) != (back < 0) || (order == 0) != (back == 0))
			abort();
		deb_version_major(package->version);
	}
	apt_packages_fini(packages);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct apt_packages packages = {};
	PRINTBUF(line);
	if (size > 65536)
		return 0;
	char *text = malloc(size + 1);
	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	apt_records_parse(&packages, text);
	check_packages(&packages);
	apt_plan_parse(&packages, text);
	check_packages(&packages);
	int percent = apt_status_percent(text);
	if (percent < -1 || percent > 100)
		abort();
	apt_trouble(text, &line);
	kernel_name_fits(text, "linux-image-", "6.12");
	free(text);
	return 0;
}
