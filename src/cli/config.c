/* SPDX-License-Identifier: MIT */
/* Opening a configuration by argument, and its man page from the table of keys (cli/config.h). */
#include "cli/config.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int config_open(const char *root_path, const char *path, struct config **ret)
{
	PRINTBUF(err);
	if (path && root_path)
		return fail_usage("%s and --root %s both say where to look; give one", path,
				  root_path);
	if (path) {
		int error = config_load_path(path, ret, &err);
		return error ? fail(&err, error) : 0;
	}
	const char *top = root_path ? root_path : "/";
	/* Not root_open(): a root of configuration files need not be a machine's. */
	struct root root = { .fd = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC),
			     .is_host = strcmp(top, "/") == 0 };
	if (root.fd < 0) {
		int error = error_file(&err, -errno, top, "open");
		return fail(&err, error);
	}
	int error = config_load(&root, ret, &err);
	close(root.fd);
	return error ? fail(&err, error) : 0;
}

static void prt_form(struct printbuf *out, const struct config_key *key)
{
	if (!key->choices)
		prt_roff(out, key->kind->form);
	for (size_t i = 0; key->choices && key->choices[i]; i++) {
		if (i)
			prt_str(out, ", ");
		prt_roff(out, key->choices[i]);
	}
}

static void prt_keys(struct printbuf *out, bool is_of_job)
{
	for (size_t i = 0; i < CONFIG_NR_KEYS; i++) {
		const struct config_key *key = &config_keys[i];
		if (key->is_of_job != is_of_job)
			continue;
		prt_printf(out, ".TP\n\\fB%s=\\fR (", key->name);
		prt_form(out, key);
		if (*key->otherwise) {
			prt_str(out, "; otherwise ");
			prt_roff(out, key->otherwise);
		}
		prt_str(out, ")\n");
		prt_roff(out, key->help);
		prt_char(out, '\n');
	}
}

static const char description[] =
	"What the daemon shall do, in sections of Key=value lines. A line that begins with ';' or "
	"'#' is a comment, and so is what stands behind ' ;'. An indented line goes on with the "
	"list of the key above. An empty value takes back what files before said. Lines have at "
	"most 190 bytes. Nothing in it is ever executed.\n"
	".PP\n"
	"berth.conf is read from the first of /etc/berth, /run/berth and /usr/lib/berth that has "
	"it. Then drop\\-ins, berth.conf.d/*.conf of all three, are read in the order of their "
	"names; of two with the same name that of /etc hides that of /run, and that one that of "
	"/usr/lib. An empty drop\\-in, or a link to /dev/null, hides them all. Later values win; "
	"a section [Job NAME] that comes again goes on with the same job.\n"
	".PP\n"
	"Unknown sections and keys are mistakes. When the daemon reads its configuration again and "
	"finds a mistake, it keeps what it had.\n";

void config_man(struct printbuf *out)
{
	prt_printf(out,
		   ".TH BERTH.CONF 5 \"\" \"berth %s\" \"berth\"\n.SH NAME\nberth.conf \\- "
		   "configuration of the daemon of berth\n.SH SYNOPSIS\n.nf\n"
		   "/etc/berth/berth.conf, /etc/berth/berth.conf.d/*.conf\n"
		   "/run/berth/berth.conf, /run/berth/berth.conf.d/*.conf\n"
		   "/usr/lib/berth/berth.conf, /usr/lib/berth/berth.conf.d/*.conf\n.fi\n"
		   ".SH DESCRIPTION\n",
		   BERTH_VERSION);
	prt_str(out, description);
	prt_str(out, ".SH [DAEMON] SECTION\n");
	prt_keys(out, false);
	prt_str(out, ".SH [JOB NAME] SECTION\nOne for each job. A process belongs to the first job "
		     "that matches it.\n");
	prt_keys(out, true);
	prt_str(out, ".SH EXAMPLE\n.nf\n[Daemon]\nDryRun=no\n\n[Job web]\nMatch=unit:web.service\n"
		     "PreferCPUs=0\\-7\nFastMin=8GiB\n\n[Job batch]\nMatch=cgroup:/batch.slice\n"
		     "FastMax=25%\nGoal=background\n.fi\n"
		     ".SH SEE ALSO\n\\fBberth\\-config\\-check\\fR(1), "
		     "\\fBberth\\-config\\-show\\fR(1), \\fBberth\\fR(1)\n");
}
