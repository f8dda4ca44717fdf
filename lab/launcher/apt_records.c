/* SPDX-License-Identifier: MIT */
/* Reading what apt says (apt_records.h). Linear in the text. */
#include "lab/launcher/apt_records.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

/* A tilde sorts before the end, the end before letters, letters before the rest. */
static int weight(char c)
{
	if (c == '~')
		return -1;
	if (c == '\0' || isdigit((unsigned char)c))
		return 0;
	return isalpha((unsigned char)c) ? (unsigned char)c : (unsigned char)c + 256;
}

/* Text before digits, digits, and so on, up to the ends given. */
static int compare_parts(const char *a, const char *a_end, const char *b, const char *b_end)
{
	while (a < a_end || b < b_end) {
		while ((a < a_end && !isdigit((unsigned char)*a)) ||
		       (b < b_end && !isdigit((unsigned char)*b))) {
			int left = weight(a < a_end ? *a : '\0');
			int right = weight(b < b_end ? *b : '\0');
			if (left != right)
				return left - right;
			a += a < a_end;
			b += b < b_end;
		}
		while (a < a_end && *a == '0')
			a++;
		while (b < b_end && *b == '0')
			b++;
		const char *a_digits = a, *b_digits = b;
		while (a < a_end && isdigit((unsigned char)*a))
			a++;
		while (b < b_end && isdigit((unsigned char)*b))
			b++;
		if (a - a_digits != b - b_digits)
			return a - a_digits < b - b_digits ? -1 : 1;
		int order = memcmp(a_digits, b_digits, (size_t)(a - a_digits));
		if (order)
			return order;
	}
	return 0;
}

/* [EPOCH:]UPSTREAM[-REVISION] */
struct version_parts {
	const char *epoch, *epoch_end, *upstream, *upstream_end, *end;
};

static struct version_parts split_version(const char *version)
{
	struct version_parts parts = { .epoch = version, .epoch_end = version };
	const char *colon = strchr(version, ':');
	parts.upstream = version;
	if (colon) {
		parts.epoch_end = colon;
		parts.upstream = colon + 1;
	}
	const char *dash = strrchr(parts.upstream, '-');
	parts.end = parts.upstream + strlen(parts.upstream);
	parts.upstream_end = dash ? dash : parts.end;
	return parts;
}

int deb_version_compare(const char *a, const char *b)
{
	struct version_parts left = split_version(a), right = split_version(b);
	int order = compare_parts(left.epoch, left.epoch_end, right.epoch, right.epoch_end);
	if (!order)
		order = compare_parts(left.upstream, left.upstream_end, right.upstream,
				      right.upstream_end);
	/* A revision that is not there counts as 0: "1" and "1-0" are the same. */
	const char *left_revision = left.upstream_end + (*left.upstream_end == '-');
	const char *right_revision = right.upstream_end + (*right.upstream_end == '-');
	return order ? order : compare_parts(left_revision, left.end, right_revision, right.end);
}

unsigned long deb_version_major(const char *version)
{
	return strtoul(split_version(version).upstream, NULL, 10);
}

char *deb_file_name(const struct apt_package *package)
{
	PRINTBUF(name);
	prt_printf(&name, "%s_", package->name);
	for (const char *at = package->version; *at; at++) {
		if (*at == ':')
			prt_str(&name, "%3a");
		else
			prt_char(&name, *at);
	}
	prt_printf(&name, "_%s.deb", package->architecture);
	return printbuf_steal(&name, NULL);
}

static void package_fini(struct apt_package *package)
{
	free(package->name);
	free(package->version);
	free(package->architecture);
	*package = (struct apt_package){};
}

/* Takes what `package` owns, also when it fails. */
static int add_package(struct apt_packages *packages, struct apt_package *package)
{
	int error = packages->nr >= APT_MAX_PACKAGES ? -E2BIG : 0;
	struct apt_package *items = error ? NULL
					  : realloc(packages->items,
						    (packages->nr + 1) * sizeof(*packages->items));
	if (!items) {
		package_fini(package);
		return error ? error : -ENOMEM;
	}
	packages->items = items;
	items[packages->nr++] = *package;
	*package = (struct apt_package){};
	return 0;
}

void apt_packages_fini(struct apt_packages *packages)
{
	for (size_t i = 0; i < packages->nr; i++)
		package_fini(&packages->items[i]);
	free(packages->items);
	*packages = (struct apt_packages){};
}

struct apt_package *apt_packages_find(const struct apt_packages *packages, const char *name)
{
	for (size_t i = 0; i < packages->nr; i++)
		if (strcmp(packages->items[i].name, name) == 0)
			return &packages->items[i];
	return NULL;
}

/* A name is a path's part and a program's word: nothing else than a package's characters. */
static char *take_word(const char *text, size_t len)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789.+-~:";
	while (len && (*text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	while (len && (text[len - 1] == ' ' || text[len - 1] == '\r'))
		len--;
	return len > 0 && len < 256 && isalnum((unsigned char)*text) && strspn(text, plain) >= len
		       ? strndup(text, len)
		       : NULL;
}

static uint64_t take_number(const char *text, size_t len)
{
	char *word = take_word(text, len);
	uint64_t value = 0;
	if (word && parse_u64(word, &value) < 0)
		value = 0;
	free(word);
	return value;
}

static void take_field(struct apt_package *package, const char *line, size_t len)
{
	const struct {
		const char *name;
		char **word;
		uint64_t *number;
		uint64_t unit;
	} fields[] = {
		{ "Package: ", &package->name, NULL, 0 },
		{ "Version: ", &package->version, NULL, 0 },
		{ "Architecture: ", &package->architecture, NULL, 0 },
		{ "Size: ", NULL, &package->fetch_bytes, 1 },
		{ "Installed-Size: ", NULL, &package->installed_bytes, KIB },
	};
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		size_t name_len = strlen(fields[i].name);
		if (len <= name_len || strncmp(line, fields[i].name, name_len) != 0)
			continue;
		if (fields[i].word && !*fields[i].word)
			*fields[i].word = take_word(line + name_len, len - name_len);
		if (fields[i].number)
			*fields[i].number = MIN(take_number(line + name_len, len - name_len),
						UINT64_MAX / KIB / APT_MAX_PACKAGES) *
					    fields[i].unit;
	}
}

static int end_record(struct apt_packages *packages, struct apt_package *package)
{
	if (package->name && package->version && package->architecture)
		return add_package(packages, package);
	package_fini(package);
	return 0;
}

int apt_records_parse(struct apt_packages *packages, const char *text)
{
	struct apt_package package = {};
	int error = 0;
	while (*text && !error) {
		size_t len = strcspn(text, "\n");
		if (len == 0)
			error = end_record(packages, &package);
		else
			take_field(&package, text, len);
		text += len + (text[len] == '\n');
	}
	if (!error)
		return end_record(packages, &package);
	package_fini(&package);
	return error;
}

static bool is_part_of_qemu(const char *name)
{
	static const char *const starts[] = { "lib", "qemu-system-", "seabios", "ipxe-qemu" };
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (strncmp(name, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

/* "Inst NAME [OLD] (VERSION SUITE [ARCH])": OLD when it is installed. */
static int take_plan_line(struct apt_packages *packages, const char *line, size_t len)
{
	static const char lead[] = "Inst ";
	struct apt_package package = {};
	const char *name = line + sizeof(lead) - 1;
	const char *open = memchr(line, '(', len);
	if (len < sizeof(lead) || strncmp(line, lead, sizeof(lead) - 1) != 0 || !open)
		return 0;
	const char *old = memchr(line, '[', (size_t)(open - line));
	size_t version_len = strcspn(open + 1, " )\n");
	package.name = take_word(name, strcspn(name, " :\n"));
	package.version = take_word(open + 1, version_len);
	if (!package.name || !package.version || (old && !is_part_of_qemu(package.name))) {
		package_fini(&package);
		return 0;
	}
	return add_package(packages, &package);
}

int apt_plan_parse(struct apt_packages *packages, const char *text)
{
	int error = 0;
	while (*text && !error) {
		size_t len = strcspn(text, "\n");
		error = take_plan_line(packages, text, len);
		text += len + (text[len] == '\n');
	}
	return error;
}

int apt_status_percent(const char *line)
{
	static const char lead[] = "dlstatus:";
	if (strncmp(line, lead, sizeof(lead) - 1) != 0)
		return -1;
	const char *colon = strchr(line + sizeof(lead) - 1, ':');
	if (!colon || !isdigit((unsigned char)colon[1]))
		return -1;
	unsigned long percent = strtoul(colon + 1, NULL, 10);
	return (int)MIN(percent, 100UL);
}

bool kernel_name_fits(const char *name, const char *prefix, const char *series)
{
	static const char tail[] = "-amd64";
	size_t prefix_len = strlen(prefix), series_len = strlen(series);
	if (strncmp(name, prefix, prefix_len) != 0 ||
	    strncmp(name + prefix_len, series, series_len) != 0)
		return false;
	const char *rest = name + prefix_len + series_len;
	if (*rest != '.' || !isdigit((unsigned char)rest[1]))
		return false;
	const char *dash = strchr(rest, '-');
	return dash && strcmp(dash, tail) == 0;
}

/* The first line that begins with E: or W:, else the first. */
static void add_first_word(struct printbuf *line, const char *said)
{
	const char *first = NULL;
	for (const char *at = said; at && *at && !first; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, "E: ", 3) == 0 || strncmp(at, "W: ", 3) == 0)
			first = at + 3;
	}
	first = first ? first : said;
	prt_safe(line, first, MIN(strcspn(first, "\n"), (size_t)400));
}

enum apt_trouble apt_trouble(const char *said, struct printbuf *line)
{
	static const struct {
		enum apt_trouble trouble;
		const char *words;
	} signs[] = {
		{ APT_NO_SPACE, "No space left on device" },
		{ APT_NO_SPACE, "enough free space" },
		{ APT_NO_SPACE, "Disk quota exceeded" },
		{ APT_NO_KEY, "NO_PUBKEY" },
		{ APT_NO_NETWORK, "Could not resolve" },
		{ APT_NO_NETWORK, "Temporary failure resolving" },
		{ APT_NO_NETWORK, "ould not connect" },
		{ APT_NO_NETWORK, "Unable to connect" },
		{ APT_NO_NETWORK, "Cannot initiate the connection" },
		{ APT_NO_NETWORK, "Network is unreachable" },
		{ APT_NO_NETWORK, "Connection failed" },
		{ APT_NO_NETWORK, "onnection timed out" },
		{ APT_NO_NETWORK, "Connection refused" },
		{ APT_NO_NETWORK, "No route to host" },
	};
	add_first_word(line, said);
	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (strstr(said, signs[i].words))
			return signs[i].trouble;
	return APT_OTHER;
}
