/* SPDX-License-Identifier: MIT */
/*
 * Driving apt-get and apt-cache in a folder of our own (apt.h).
 *
 * Why not libapt: a C++ library in a C program, for six calls that apt's programs make as well.
 * Why not `apt-get install --download-only`: it fetches upgrades of what is installed too, of
 * which the lab needs only libraries; so the plan is simulated and its packages fetched by name.
 *
 * Cost: apt-get update of a whole release is 9 MB; each question about packages 0.5 to 2 s.
 */
#include "lab/launcher/apt.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/cache_files.h"
#include "lab/launcher/process.h"

#define SILENCE_NS (600 * NS_PER_S)

int explain_failure(int status, const char *program, const char *doing, const char *said,
		    struct printbuf *err)
{
	PRINTBUF(line);
	if (status == -ENOENT)
		return error_set(err, -EOPNOTSUPP,
				 "%s: not found in PATH; the lab is set up with Debian's own tools",
				 program);
	if (status == -EINTR)
		return error_set(err, -EINTR, "%s: interrupted; what is fetched is kept", doing);
	if (status == -ETIMEDOUT)
		return error_set(err, -ETIMEDOUT, "%s: %s said nothing for %u minutes", doing,
				 program, (unsigned)(SILENCE_NS / NS_PER_S / 60));
	if (status < 0)
		return error_set(err, status, "%s: %s: %s", doing, program, error_text(status));
	switch (apt_trouble(said, &line)) {
	case APT_NO_NETWORK:
		return error_set(err, -ENETUNREACH,
				 "%s: no network (%s); try again with one, or copy the cache "
				 "folder of a machine that has it",
				 doing, printbuf_str(&line));
	case APT_NO_SPACE:
		return error_set(err, -ENOSPC,
				 "%s: the disk is full; free some space, or set BERTH_LAB_CACHE to "
				 "a folder elsewhere",
				 doing);
	case APT_NO_KEY:
		return error_set(
			err, -EIO,
			"%s: the archive is signed with a key that is not known here (%s); "
			"upgrade the package debian-archive-keyring",
			doing, printbuf_str(&line));
	default:
		return error_set(err, -EIO, "%s: %s failed: %s", doing, program,
				 line.pos ? printbuf_str(&line) : "no word why");
	}
}

int run_tool(const char *const *argv, const char *directory, const char *doing,
	     struct printbuf *err)
{
	PRINTBUF(said);
	struct process process = { .argv = argv, .directory = directory, .limit_ns = SILENCE_NS };
	int status = process_run(&process, NULL, &said);
	return status ? explain_failure(status, argv[0], doing, printbuf_str(&said), err) : 0;
}

/* The system's settings of how to fetch. */
static int add_acquire(struct printbuf *conf, struct printbuf *err)
{
	static const char *const argv[] = { "apt-config", "dump", NULL };
	PRINTBUF(out);
	PRINTBUF(said);
	struct process process = { .argv = argv, .limit_ns = SILENCE_NS };
	int status = process_run(&process, &out, &said);
	if (status)
		return explain_failure(status, argv[0], "apt's settings", printbuf_str(&said), err);
	const char *line = printbuf_str(&out);
	while (*line) {
		size_t len = strcspn(line, "\n");
		if (strncmp(line, "Acquire::", 9) == 0 &&
		    strncmp(line, "Acquire::IndexTargets", 21) != 0)
			prt_mem(conf, line, len);
		prt_char(conf, '\n');
		line += len + (line[len] == '\n');
	}
	return 0;
}

static void add_own(struct printbuf *conf, const struct apt_view *view)
{
	const char *folder = view->folder;
	prt_printf(conf,
		   "Dir::State::Lists \"%s/lists\";\nDir::Etc::sourcelist \"%s/berth.sources\";\n"
		   "Dir::Cache \"%s/cache\";\nDir::Cache::archives \"%s/cache/archives\";\n",
		   folder, folder, folder, folder);
	if (!view->knows_installed)
		prt_printf(conf, "Dir::State::status \"%s/status\";\n", folder);
	prt_str(conf, "Dir::Cache::pkgcache \"pkgcache.bin\";\nDir::Cache::srcpkgcache \"\";\n"
		      "Dir::Etc::sourceparts \"/dev/null\";\nDir::Etc::preferences \"/dev/null\";\n"
		      "Dir::Etc::preferencesparts \"/dev/null\";\nDir::Etc::main \"/dev/null\";\n"
		      "Dir::Etc::parts \"/dev/null\";\nDir::State::extended_states \"/dev/null\";\n"
		      "Debug::NoLocking \"1\";\nAPT::Update::Error-Mode \"any\";\n"
		      "APT::Get::AllowUnauthenticated \"0\";\nAcquire::Languages \"none\";\n"
		      "Acquire::AllowInsecureRepositories \"0\";\nAcquire::GzipIndexes \"1\";\n"
		      "Acquire::Retries \"3\";\nAPT::Architecture \"amd64\";\n");
	if (geteuid() == 0) /* apt's own user may not write below a private folder */
		prt_str(conf, "APT::Sandbox::User \"root\";\n");
}

static int make_folders(const char *folder, struct printbuf *err)
{
	static const char *const names[] = { "",      "lists",		"lists/partial",
					     "cache", "cache/archives", "cache/archives/partial" };
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = lab_path(folder, names[i]);
		int error = !path ? -ENOMEM : mkdir(path, 0755) < 0 && errno != EEXIST ? -errno : 0;
		if (error)
			error_file(err, error, path ? path : folder, "write");
		free(path);
		if (error)
			return error;
	}
	return 0;
}

int apt_view_init(struct apt_view *view, const char *sources, struct printbuf *err)
{
	PRINTBUF(conf);
	PRINTBUF(text);
	PRINTBUF(nothing);
	if (strpbrk(view->folder, "\"\n;{}"))
		return error_set(err, -EINVAL,
				 "%s: apt cannot work in a folder of this name; set "
				 "BERTH_LAB_CACHE to one without quotes, braces and semicolons",
				 view->folder);
	int error = make_folders(view->folder, err);
	if (!error)
		error = add_acquire(&conf, err);
	if (error)
		return error;
	add_own(&conf, view);
	prt_str(&text, sources);
	error = lab_write_text(view->folder, "apt.conf", &conf, err);
	if (!error)
		error = lab_write_text(view->folder, "berth.sources", &text, err);
	if (!error)
		error = lab_write_text(view->folder, "status", &nothing, err);
	if (error)
		return error;
	printbuf_reset(&text);
	prt_printf(&text, "APT_CONFIG=%s/apt.conf", view->folder);
	view->environment = printbuf_steal(&text, NULL);
	return view->environment ? 0 : error_set(err, -ENOMEM, "out of memory");
}

void apt_view_fini(struct apt_view *view)
{
	free(view->environment);
	view->environment = NULL;
}

/* One call of apt under way. */
struct apt_call {
	const struct lab_setup_options *options;
	const char *what;
	uint64_t bytes;
};

static void tell(const struct apt_call *call, int percent)
{
	if (call->options->progress)
		call->options->progress(call->options->data, call->what, percent, call->bytes);
}

static void take_status(void *data, const char *line)
{
	int percent = apt_status_percent(line);
	if (percent >= 0)
		tell(data, percent);
}

static int run_apt(struct apt_view *view, const char *const *argv, const char *directory,
		   struct apt_call *call, struct printbuf *out, struct printbuf *err)
{
	PRINTBUF(said);
	const char *const set[] = { view->environment, "DEBIAN_FRONTEND=noninteractive", NULL };
	struct process process = { .argv = argv,
				   .set = set,
				   .directory = directory,
				   .status_line = call->bytes || !out ? take_status : NULL,
				   .data = call,
				   .limit_ns = SILENCE_NS };
	int status = process_run(&process, out, &said);
	return status ? explain_failure(status, argv[0], call->what, printbuf_str(&said), err) : 0;
}

int apt_update(struct apt_view *view, const char *what, struct printbuf *err)
{
	static const char *const argv[] = { "apt-get", "update", "-o", "APT::Status-Fd=3", NULL };
	struct apt_call call = { view->options, what, 0 };
	tell(&call, -1);
	return run_apt(view, argv, NULL, &call, NULL, err);
}

int apt_names(struct apt_view *view, const char *prefix, struct printbuf *ret, struct printbuf *err)
{
	const char *const argv[] = { "apt-cache", "pkgnames", prefix, NULL };
	struct apt_call call = { view->options, prefix, 0 };
	return run_apt(view, argv, NULL, &call, ret, err);
}

int apt_show(struct apt_view *view, const char *const *names, struct apt_packages *ret,
	     struct printbuf *err)
{
	const char *argv[APT_MAX_PACKAGES + 4] = { "apt-cache", "show", "--no-all-versions" };
	struct apt_call call = { view->options, "package records", 0 };
	PRINTBUF(out);
	for (size_t i = 0; i < APT_MAX_PACKAGES && names[i]; i++)
		argv[3 + i] = names[i];
	if (!names[0])
		return 0;
	int error = run_apt(view, argv, NULL, &call, &out, err);
	if (error)
		return error;
	error = apt_records_parse(ret, printbuf_str(&out));
	return error ? error_set(err, error, "package records: %s", error_text(error)) : 0;
}

/* NAME=VERSION of each, NULL-terminated; the caller frees each and the list. */
static char **name_versions(const struct apt_packages *packages)
{
	char **words = calloc(packages->nr + 1, sizeof(*words));
	for (size_t i = 0; words && i < packages->nr; i++) {
		PRINTBUF(word);
		prt_printf(&word, "%s=%s", packages->items[i].name, packages->items[i].version);
		words[i] = printbuf_steal(&word, NULL);
	}
	return words;
}

static void free_words(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

int apt_plan(struct apt_view *view, const char *package, const char *suite,
	     struct apt_packages *ret, struct printbuf *err)
{
	const char *argv[] = { "apt-get", "-s", "install", "--no-install-recommends",
			       package,	  NULL, NULL,	   NULL };
	struct apt_call call = { view->options, package, 0 };
	struct apt_packages plan = {};
	PRINTBUF(out);
	if (suite) {
		argv[5] = "-t";
		argv[6] = suite;
	}
	int error = run_apt(view, argv, NULL, &call, &out, err);
	if (error)
		return error;
	error = apt_plan_parse(&plan, printbuf_str(&out));
	char **words = error ? NULL : name_versions(&plan);
	if (!words)
		error = error_set(err, error ? error : -ENOMEM, "%s: what it needs is not clear",
				  package);
	if (!error)
		error = apt_show(view, (const char *const *)words, ret, err);
	free_words(words);
	apt_packages_fini(&plan);
	return error;
}

static bool is_among(const struct apt_packages *packages, const char *file)
{
	for (size_t i = 0; i < packages->nr; i++) {
		char *name = deb_file_name(&packages->items[i]);
		bool is_same = name && strcmp(name, file) == 0;
		free(name);
		if (is_same)
			return true;
	}
	return false;
}

/* Packages of an earlier, interrupted setup that are not wanted any more. */
static void remove_others(const char *directory, const struct apt_packages *packages)
{
	DIR *folder = opendir(directory);
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (entry->d_type == DT_REG && !is_among(packages, entry->d_name))
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
}

int apt_fetch(struct apt_view *view, const struct apt_packages *packages, const char *directory,
	      const char *what, struct printbuf *err)
{
	const char *argv[APT_MAX_PACKAGES + 5] = { "apt-get", "-o", "APT::Status-Fd=3",
						   "download" };
	struct apt_call call = { view->options, what, 0 };
	char **words = name_versions(packages);
	if (!words)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < packages->nr; i++) {
		argv[4 + i] = words[i];
		call.bytes += packages->items[i].fetch_bytes;
	}
	remove_others(directory, packages);
	tell(&call, 0);
	int error = run_apt(view, argv, directory, &call, NULL, err);
	free_words(words);
	return error;
}
