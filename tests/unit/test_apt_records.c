/* SPDX-License-Identifier: MIT */
/* Versions, records, plans and messages as apt prints them. */
#include "test.h"

#include "lab/launcher/apt_records.h"

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

/* Each older than the next (deb-version(7)). */
static void test_versions(void **state)
{
	static const char *const ascending[] = {
		"~~",
		"~~a",
		"~",
		"0",
		"0a",
		"0+",
		"1~rc1",
		"1-1~bpo12+1",
		"1-1",
		"1-1+b1",
		"1-2",
		"1-10",
		"1.2",
		"1.10",
		"6.12.9-1",
		"6.12.95-1~bpo12+1",
		"6.12.95-1",
		"6.12.115-1",
		"10.0.2+ds-2~bpo12+1",
		"10.0.2+ds-2",
		"10.0.2+ds-2+deb13u1~bpo12+1",
		"10.0.2+ds-2+deb13u1",
		"1:0",
		"1:7.2+dfsg-7",
		"1:10.0.2+ds-2",
		"2:0",
	};
	for (size_t i = 0; i < ARRAY_SIZE(ascending); i++)
		for (size_t k = 0; k < ARRAY_SIZE(ascending); k++)
			assert_int_equal(sign(deb_version_compare(ascending[i], ascending[k])),
					 i < k ? -1 : i > k);
	assert_int_equal(deb_version_compare("1", "1-0"), 0);
	assert_int_equal(deb_version_compare("0:1", "1"), 0);
	assert_int_equal(deb_version_compare("1.01", "1.1"), 0);
	assert_int_equal(deb_version_major("1:10.0.2+ds-2"), 10);
	assert_int_equal(deb_version_major("7.2"), 7);
	assert_int_equal(deb_version_major("x"), 0);
}

static char random_char(uint64_t *seed)
{
	static const char chars[] = "0019~+.ab-A";
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return chars[(*seed >> 33) % (sizeof(chars) - 1)];
}

/* The oracle: dpkg itself, on pairs that begin alike. */
static void test_versions_as_dpkg(void **state)
{
	uint64_t seed = 7;
	if (system("dpkg --compare-versions 1 lt 2 2>/dev/null"))
		skip();
	for (int i = 0; i < 100; i++) {
		char words[2][16] = { "1", "1" }, command[128];
		for (int k = 1; k < 7; k++) {
			words[0][k] = random_char(&seed);
			words[1][k] = k < 1 + i % 6 ? words[0][k] : random_char(&seed);
		}
		strcat(words[0], "1"); /* dpkg takes no empty revision */
		strcat(words[1], "1");
		int order = deb_version_compare(words[0], words[1]);
		snprintf(command, sizeof(command), "dpkg --compare-versions '%s' %s '%s'", words[0],
			 order < 0   ? "lt"
			 : order > 0 ? "gt"
				     : "eq",
			 words[1]);
		if (system(command))
			fail_msg("%s", command);
	}
}

static void test_records(void **state)
{
	static const char text[] = "Package: linux-image-6.12.95+deb12-amd64\n"
				   "Source: linux-signed-amd64 (6.12.95+1~bpo12+1)\n"
				   "Version: 6.12.95-1~bpo12+1\nInstalled-Size: 106911\n"
				   "Architecture: amd64\nSize: 106422608\n"
				   "Description: a kernel\n Version: 9\n\n"
				   "Package: ../etc/passwd\nVersion: 1\nArchitecture: all\n\n"
				   "Package: no-version\nArchitecture: all\n\n"
				   "Package: qemu-system-data\nVersion: 1:10.0.2+ds-2\n"
				   "Architecture: all\nSize: 99999999999999999999\n";
	struct apt_packages packages = {};
	assert_int_equal(apt_records_parse(&packages, text), 0);
	assert_int_equal(packages.nr, 2);
	const struct apt_package *kernel = apt_packages_find(&packages,
							     "linux-image-6.12.95+deb12-amd64");
	assert_non_null(kernel);
	assert_string_equal(kernel->version, "6.12.95-1~bpo12+1");
	assert_int_equal(kernel->fetch_bytes, 106422608);
	assert_int_equal(kernel->installed_bytes, 106911 * 1024);
	const struct apt_package *data = apt_packages_find(&packages, "qemu-system-data");
	assert_non_null(data);
	assert_int_equal(data->fetch_bytes, 0);
	char *file = deb_file_name(data);
	assert_string_equal(file, "qemu-system-data_1%3a10.0.2+ds-2_all.deb");
	free(file);
	apt_packages_fini(&packages);
}

static void test_too_many_records(void **state)
{
	struct apt_packages packages = {};
	PRINTBUF(text);
	for (int i = 0; i <= APT_MAX_PACKAGES; i++)
		prt_str(&text, "Package: a\nVersion: 1\nArchitecture: all\n\n");
	assert_int_equal(apt_records_parse(&packages, printbuf_str(&text)), -E2BIG);
	assert_int_equal(packages.nr, APT_MAX_PACKAGES);
	apt_packages_fini(&packages);
}

/* qemu-user is upgraded because it is installed, not because the lab needs it. */
static void test_plan(void **state)
{
	static const char text[] =
		"Reading package lists...\nThe following NEW packages will be installed:\n"
		"  libaio1 qemu-system-x86\n"
		"Inst libaio1 (0.3.113-4 Debian:12.15/oldstable [amd64])\n"
		"Inst libssl3 [3.0.9-1] (3.0.15-1 Debian:12.15/oldstable [amd64])\n"
		"Inst qemu-user [1:7.2+dfsg-7] (1:10.0.2+ds-2 Debian Backports [amd64]) []\n"
		"Inst qemu-system-x86 (1:10.0.2+ds-2 Debian Backports [amd64])\n"
		"Inst libx:i386 (1 Debian:12 [i386])\n"
		"Inst broken\nInst \nConf libaio1 (0.3.113-4 Debian:12.15/oldstable [amd64])\n";
	struct apt_packages packages = {};
	assert_int_equal(apt_plan_parse(&packages, text), 0);
	assert_int_equal(packages.nr, 4);
	assert_string_equal(packages.items[0].name, "libaio1");
	assert_string_equal(packages.items[0].version, "0.3.113-4");
	assert_string_equal(packages.items[1].name, "libssl3");
	assert_string_equal(packages.items[1].version, "3.0.15-1");
	assert_string_equal(packages.items[2].name, "qemu-system-x86");
	assert_string_equal(packages.items[2].version, "1:10.0.2+ds-2");
	assert_string_equal(packages.items[3].name, "libx");
	assert_null(apt_packages_find(&packages, "qemu-user"));
	apt_packages_fini(&packages);
}

static void test_status(void **state)
{
	assert_int_equal(apt_status_percent("dlstatus:1:23.5:Retrieving file 1 of 5"), 23);
	assert_int_equal(apt_status_percent("dlstatus:1:100:x"), 100);
	assert_int_equal(apt_status_percent("dlstatus:1:1e9:x"), 1);
	assert_int_equal(apt_status_percent("dlstatus:1:99999999999999999999:x"), 100);
	assert_int_equal(apt_status_percent("dlstatus:1:-4:x"), -1);
	assert_int_equal(apt_status_percent("dlstatus:1"), -1);
	assert_int_equal(apt_status_percent("pmstatus:a:5:x"), -1);
	assert_int_equal(apt_status_percent(""), -1);
}

static void test_kernel_names(void **state)
{
	static const char *const yes[] = { "linux-image-6.12.95+deb12-amd64",
					   "linux-image-6.12.1-amd64" };
	static const char *const no[] = {
		"linux-image-6.12.95+deb12-amd64-unsigned",
		"linux-image-6.12.95+deb12-amd64-dbg",
		"linux-image-6.12.95+deb12-rt-amd64",
		"linux-image-6.12.95+deb12-cloud-amd64",
		"linux-image-6.12-amd64",
		"linux-image-6.120.1-amd64",
		"linux-image-6.1.12-amd64",
		"linux-headers-6.12.95+deb12-amd64",
		"linux-image-6.12.amd64",
		"linux-image-6.12.95",
	};
	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(kernel_name_fits(yes[i], "linux-image-", "6.12"));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(kernel_name_fits(no[i], "linux-image-", "6.12"));
}

static void assert_trouble(const char *said, enum apt_trouble expected, const char *expected_line)
{
	PRINTBUF(line);
	assert_int_equal(apt_trouble(said, &line), expected);
	assert_string_equal(printbuf_str(&line), expected_line);
}

static void test_trouble(void **state)
{
	assert_trouble("some notice\nW: Failed to fetch x  Temporary failure resolving 'y'\n"
		       "E: Some index files failed\n",
		       APT_NO_NETWORK, "Failed to fetch x  Temporary failure resolving 'y'");
	assert_trouble("E: Write error - write (28: No space left on device)\n", APT_NO_SPACE,
		       "Write error - write (28: No space left on device)");
	assert_trouble("E: You don't have enough free space in /a.\n", APT_NO_SPACE,
		       "You don't have enough free space in /a.");
	assert_trouble("W: GPG error: x InRelease: not verified: NO_PUBKEY 6ED0E7B82643E131\n",
		       APT_NO_KEY,
		       "GPG error: x InRelease: not verified: NO_PUBKEY 6ED0E7B82643E131");
	assert_trouble("dpkg-deb: error: \x1b[31m\nmore", APT_OTHER, "dpkg-deb: error: \\x1b[31m");
	assert_trouble("", APT_OTHER, "");
}
