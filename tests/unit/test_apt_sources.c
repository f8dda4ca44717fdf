/* SPDX-License-Identifier: MIT */
/* Source entries as Debian's installers, images and people write them, and what is derived. */
#include "test.h"

#include "lab/launcher/apt_sources.h"

/* Debian's container image, with the strangers of a developer's machine after it. */
static const char image[] = "Types: deb\n"
			    "# where this image was made from\n"
			    "URIs: http://archive.example/debian\n"
			    "Suites: bookworm bookworm-updates\n"
			    "Components: main\n"
			    "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
			    "\n"
			    "Types: deb\n"
			    "URIs: http://archive.example/debian-security\n"
			    "Suites: bookworm-security\n"
			    "Components: main\n"
			    "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n";

static const char strangers[] = "deb [arch=amd64 signed-by=/usr/share/keyrings/vendor.gpg] "
				"https://vendor.example/debian/12/prod bookworm main\n"
				"deb https://vendor.example/linux/debian bookworm stable\n"
				"deb https://db.example/apt bookworm-pgdg main\n";

static struct apt_entries parse(const char *text, bool is_deb822)
{
	struct apt_entries entries = {};
	assert_int_equal(apt_entries_parse(&entries, text, strlen(text), is_deb822), 0);
	return entries;
}

static void assert_derived(const struct apt_entry *entry, const char *suites, const char *expected)
{
	PRINTBUF(out);
	assert_non_null(entry);
	apt_entry_derive(&out, entry, suites);
	assert_string_equal(printbuf_str(&out), expected);
}

static void test_image(void **state)
{
	struct apt_entries entries = parse(image, true);
	assert_int_equal(entries.nr, 3);
	const struct apt_entry *entry = apt_entries_find(&entries, "bookworm", "bookworm");
	assert_derived(entry, "bookworm bookworm-backports",
		       "Types: deb\nURIs: http://archive.example/debian\n"
		       "Suites: bookworm bookworm-backports\nComponents: main\n"
		       "Architectures: amd64\n"
		       "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n");
	entry = apt_entries_find(&entries, "bookworm-security", "bookworm");
	assert_non_null(entry);
	assert_string_equal(entry->uri, "http://archive.example/debian-security");
	assert_null(apt_entries_find(&entries, "trixie", "trixie"));
	apt_entries_fini(&entries);
}

/* A stranger may use the release's name and the component main, and come first. */
static void test_strangers(void **state)
{
	struct apt_entries entries = parse(strangers, false);
	assert_int_equal(entries.nr, 3);
	assert_int_equal(apt_entries_parse(&entries, image, strlen(image), true), 0);
	const struct apt_entry *entry = apt_entries_find(&entries, "bookworm", "bookworm");
	assert_non_null(entry);
	assert_string_equal(entry->uri, "http://archive.example/debian");
	apt_entries_fini(&entries);
}

static void test_one_line(void **state)
{
	struct apt_entries entries = parse(
		"# deb http://off.example/debian bookworm main\n"
		"deb cdrom:[Debian GNU/Linux 12.0.0 _Bookworm_ - amd64]/ bookworm main\n"
		"deb-src http://archive.example/debian/ bookworm main\n"
		"deb http://archive.example/debian/ bookworm main non-free-firmware # ours\n"
		"  deb\t[ arch+=i386 trusted=yes ]\thttp://archive.example/debian/ "
		"bookworm-updates main\n"
		"deb [signed-by=/k.gpg arch=arm64] http://arm.example/debian sid main\n"
		"deb [broken http://archive.example/debian sid main\n"
		"deb http://archive.example/debian\n"
		"deb\n\ngarbage\n",
		false);
	const struct apt_entry *entry = apt_entries_find(&entries, "bookworm", "bookworm");
	assert_derived(entry, "trixie",
		       "Types: deb\nURIs: http://archive.example/debian/\nSuites: trixie\n"
		       "Components: main\nArchitectures: amd64\n\n");
	/* trusted=yes is not passed on: signatures are always verified. */
	entry = apt_entries_find(&entries, "bookworm-updates", "bookworm");
	assert_derived(entry, "x",
		       "Types: deb\nURIs: http://archive.example/debian/\nSuites: x\n"
		       "Components: main\nArchitectures: amd64\n\n");
	assert_null(apt_entries_find(&entries, "sid", "sid")); /* not for amd64, or cut */
	apt_entries_fini(&entries);
}

static void test_signed_by_of_one_line(void **state)
{
	struct apt_entries entries = parse("deb [arch=amd64,i386 signed-by=/usr/share/keyrings/"
					   "debian-archive-keyring.gpg] http://a.example/debian "
					   "bookworm main contrib\n",
					   false);
	assert_derived(apt_entries_find(&entries, "bookworm", "bookworm"), "trixie-backports",
		       "Types: deb\nURIs: http://a.example/debian\nSuites: trixie-backports\n"
		       "Components: main\nArchitectures: amd64\n"
		       "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n");
	apt_entries_fini(&entries);
}

static void test_key_in_the_entry(void **state)
{
	struct apt_entries entries = parse("types: deb-src deb\n"
					   "uris: https://a.example/debian\n"
					   "suites: sid\n"
					   "components: contrib\n"
					   "  main\n"
					   "signed-by:\n"
					   " -----BEGIN PGP PUBLIC KEY BLOCK-----\n"
					   " .\n"
					   " mQINBGPL0BUBEADm\n"
					   " -----END PGP PUBLIC KEY BLOCK-----\n"
					   "X-Note: the key ends above\n"
					   " and this is not part of it\n",
					   true);
	assert_derived(apt_entries_find(&entries, "sid", "sid"), "trixie",
		       "Types: deb\nURIs: https://a.example/debian\nSuites: trixie\n"
		       "Components: main\nArchitectures: amd64\nSigned-By:\n"
		       " -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBGPL0BUBEADm\n"
		       " -----END PGP PUBLIC KEY BLOCK-----\n\n");
	apt_entries_fini(&entries);
}

static void test_off_and_others(void **state)
{
	struct apt_entries entries = parse("Types: deb\nURIs: http://a.example/debian\n"
					   "Suites: bookworm\nComponents: main\nEnabled: no\n"
					   "\n \t \n"
					   "Types: deb-src\nURIs: http://b.example/debian\n"
					   "Suites: bookworm\nComponents: main\n\n"
					   "Types: deb\nURIs: http://c.example/debian\n"
					   "Suites: bookworm\nComponents: contrib\n\n"
					   "Types: deb\nURIs: http://d.example/debian\n"
					   "Suites: bookworm\nComponents: main\n"
					   "Architectures: arm64 i386\n\n"
					   "Types: deb\r\nURIs: http://e.example/debian "
					   "http://f.example/debian\r\n"
					   "Suites: bookworm\r\nComponents: main\r\n"
					   "Enabled: yes\r\n",
					   true);
	const struct apt_entry *entry = apt_entries_find(&entries, "bookworm", "bookworm");
	assert_non_null(entry);
	assert_string_equal(entry->uri, "http://e.example/debian");
	apt_entries_fini(&entries);
}

static void test_too_much(void **state)
{
	struct apt_entries entries = {};
	PRINTBUF(text);
	assert_int_equal(apt_entries_parse(&entries, "", APT_MAX_TEXT + 1, true), -E2BIG);
	prt_str(&text, "Types: deb\nURIs:");
	for (int i = 0; i < 100; i++)
		prt_str(&text, " http://a.example/");
	prt_str(&text, "\nSuites:");
	for (int i = 0; i < 100; i++)
		prt_str(&text, " bookworm");
	assert_int_equal(apt_entries_parse(&entries, text.buf, text.pos, true), -E2BIG);
	assert_int_equal(entries.nr, APT_MAX_ENTRIES);
	apt_entries_fini(&entries);
}

static void assert_value(const char *text, const char *key, const char *expected)
{
	char *value = os_release_value(text, key);
	if (expected)
		assert_string_equal(value, expected);
	else
		assert_null(value);
	free(value);
}

static void test_os_release(void **state)
{
	static const char text[] = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n"
				   "VERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\nID='debian'\n"
				   "EMPTY=\nCUT=\"no end\nLAST=x";
	assert_value(text, "VERSION_CODENAME", "bookworm");
	assert_value(text, "VERSION_ID", "12");
	assert_value(text, "ID", "debian");
	assert_value(text, "VERSION", NULL);
	assert_value(text, "EMPTY", NULL);
	assert_value(text, "CUT", "no end");
	assert_value(text, "LAST", "x");
	assert_value("", "ID", NULL);
}
