/* SPDX-License-Identifier: MIT */
/*
 * Changing what the daemon's jobs may have while it runs: by reading the files anew, or by `berth
 * set`. Either way a whole configuration is made and checked as one that was read, and takes the
 * old one's place, or nothing is changed.
 *
 *     files (as read) --config_to_text--> text
 *     settings                        --> text behind it      --> config_add_text, config_check
 *
 * What was set stays when the files are read anew, until it is taken back by an empty value.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "linux/daemon.h"

static bool has_job(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->nr_jobs; i++)
		if (strcmp(config->jobs[i].name, name) == 0)
			return true;
	return false;
}

/* Of a job that the files do not name any more nothing is said. */
static void add_settings(struct printbuf *text, const struct config *files,
			 const struct daemon_setting *settings, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		if (has_job(files, settings[i].job))
			prt_printf(text, "\n[Job %s]\n%s=%s\n", settings[i].job, settings[i].key,
				   settings[i].value);
}

static int make_config(const struct config *files, const struct daemon_setting *settings, size_t nr,
		       struct config **ret, struct printbuf *err)
{
	PRINTBUF(base);
	PRINTBUF(more);
	struct config *config = NULL;
	config_to_text(&base, files);
	add_settings(&more, files, settings, nr);
	int error = config_new(&config);
	if (!error)
		error = config_add_text(config, "the configuration", printbuf_str(&base), base.pos,
					err);
	if (!error)
		error = config_add_text(config, "berth set", printbuf_str(&more), more.pos, err);
	if (!error)
		error = config_check(config, err);
	if (!error && (printbuf_has_error(&base) || printbuf_has_error(&more)))
		error = -ENOMEM;
	if (error)
		config_free(config);
	else
		*ret = config;
	return error;
}

/* Changes of what the placer was made with take effect by making it anew. */
static void swap(struct daemon *daemon, struct config *config)
{
	struct config *old = daemon->config;
	bool is_dry = daemon->wish->is_dry || config->daemon.dry_run;
	bool is_other = old &&
			(is_dry != daemon->is_dry ||
			 strcmp(old->daemon.policy, config->daemon.policy) != 0 ||
			 strcmp(old->daemon.sampler, config->daemon.sampler) != 0 ||
			 old->daemon.cpu_limit_bp != config->daemon.cpu_limit_bp ||
			 old->daemon.move_rate_bytes_per_s != config->daemon.move_rate_bytes_per_s);
	bool has_other_engine = old && old->daemon.engine != config->daemon.engine;
	for (uint32_t i = 0; (is_other || has_other_engine) && i < daemon->nr_jobs; i++)
		daemon->jobs[i].cpus = daemon_cpus_free(daemon->jobs[i].cpus);
	if (is_other)
		daemon_stop_memory(daemon);
	daemon->retry_ns = 0;
	daemon->is_dry = is_dry;
	daemon->config = config;
	daemon_take_config(daemon);
	config_free(old);
	daemon->scan_due_ns = daemon->placer_due_ns = 0; /* a cap is to be kept from now on */
}

int daemon_reload(struct daemon *daemon, struct printbuf *err)
{
	struct config *files = NULL, *config = NULL;
	const char *path = daemon->wish->config;
	int error = path ? config_load_path(path, &files, err)
			 : config_load(daemon->root, &files, err);
	if (!error)
		error = make_config(files, daemon->settings, daemon->nr_settings, &config, err);
	if (error) {
		config_free(files);
		return error;
	}
	config_free(daemon->files);
	daemon->files = files;
	for (uint32_t i = 0; i < daemon->nr_jobs; i++)
		daemon->jobs[i].is_stopped = false;
	swap(daemon, config);
	return 0;
}

static bool is_changed(const struct daemon_change *changes, size_t nr, const char *key)
{
	for (size_t i = 0; i < nr; i++)
		if (strcmp(changes[i].key, key) == 0)
			return true;
	return false;
}

static void free_settings(struct daemon_setting *settings, size_t nr)
{
	for (size_t i = 0; settings && i < nr; i++)
		free(settings[i].value);
	free(settings);
}

static int add_setting(struct daemon_setting *settings, size_t *nr, const char *job,
		       const char *key, const char *value)
{
	struct daemon_setting *setting = &settings[*nr];
	snprintf(setting->job, sizeof(setting->job), "%s", job);
	snprintf(setting->key, sizeof(setting->key), "%s", key);
	setting->value = strdup(value);
	*nr += setting->value != NULL;
	return setting->value ? 0 : -ENOMEM;
}

/* A list of its own as it is after the changes: some more, changed, or taken out. */
static int change_settings(const struct daemon *daemon, const char *job,
			   const struct daemon_change *changes, size_t nr_changes,
			   struct daemon_setting **ret, size_t *ret_nr)
{
	size_t nr = 0;
	int error = 0;
	struct daemon_setting *settings = calloc(daemon->nr_settings + nr_changes,
						 sizeof(*settings));
	if (!settings)
		return -ENOMEM;
	for (size_t i = 0; i < daemon->nr_settings && !error; i++) {
		const struct daemon_setting *old = &daemon->settings[i];
		if (strcmp(old->job, job) != 0 || !is_changed(changes, nr_changes, old->key))
			error = add_setting(settings, &nr, old->job, old->key, old->value);
	}
	for (size_t i = 0; i < nr_changes && !error; i++)
		if (*changes[i].value)
			error = add_setting(settings, &nr, job, changes[i].key, changes[i].value);
	*ret = settings;
	*ret_nr = nr;
	return !error && nr > DAEMON_SETTINGS_MAX ? -E2BIG : error;
}

/* A value is one line of berth.conf and no more than that. */
static int check_change(const struct daemon_change *change, struct printbuf *err)
{
	const char *key = change->key;
	if (strlen(key) >= sizeof(((struct daemon_setting *)0)->key) ||
	    strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != strlen(key) ||
	    strcmp(key, "Match") == 0)
		return error_set(err, -EINVAL, "%s: cannot be set", key);
	for (const char *at = change->value; *at; at++)
		if ((unsigned char)*at < ' ' || *at == 127)
			return error_set(err, -EINVAL, "%s: not one line of text", key);
	return 0;
}

static int check_changes(struct daemon *daemon, const char *job,
			 const struct daemon_change *changes, size_t nr, struct printbuf *err)
{
	int error = 0;
	if (!daemon_find_job(daemon, job))
		return error_set(err, -ENOENT, "%s: no such job; `berth status` shows them", job);
	if (nr == 0 || nr > DAEMON_CHANGES_MAX)
		return error_set(err, -EINVAL, "1 to %d settings at a time", DAEMON_CHANGES_MAX);
	for (size_t i = 0; i < nr && !error; i++)
		error = check_change(&changes[i], err);
	for (size_t i = 1; i < nr && !error; i++)
		if (is_changed(changes, i, changes[i].key))
			error = error_set(err, -EINVAL, "%s: twice; say it once", changes[i].key);
	return error;
}

/* Files may name CPUs that come later; who sets some now means those that are there. */
static int check_cpus(const struct daemon *daemon, const struct config *config, const char *name,
		      struct printbuf *err)
{
	struct set online = SET_EMPTY;
	PRINTBUF(list);
	int error = root_read_set(daemon->root, "sys/devices/system/cpu/online", &online);
	if (error)
		return error_file(err, error, "/sys/devices/system/cpu/online", "read");
	set_to_text(&list, &online);
	for (size_t i = 0; i < config->nr_jobs && !error; i++) {
		const struct config_job *job = &config->jobs[i];
		if (strcmp(job->name, name) == 0 &&
		    (!set_is_subset(&job->prefer, &online) || !set_is_subset(&job->allow, &online)))
			error = error_set(err, -EINVAL,
					  "job %s: a CPU that is offline or does not exist; "
					  "online are %s",
					  name, printbuf_str(&list));
	}
	set_fini(&online);
	return error;
}

int daemon_set(struct daemon *daemon, const char *job, const struct daemon_change *changes,
	       size_t nr_changes, struct printbuf *err)
{
	struct daemon_setting *settings = NULL;
	struct config *config = NULL;
	size_t nr = 0;
	int error = check_changes(daemon, job, changes, nr_changes, err);
	if (error)
		return error;
	error = change_settings(daemon, job, changes, nr_changes, &settings, &nr);
	if (!error)
		error = make_config(daemon->files, settings, nr, &config, err);
	if (!error)
		error = check_cpus(daemon, config, job, err);
	if (error) {
		config_free(config);
		free_settings(settings, nr);
		return error;
	}
	free_settings(daemon->settings, daemon->nr_settings);
	daemon->settings = settings;
	daemon->nr_settings = nr;
	daemon_find_job(daemon, job)->is_stopped = false;
	swap(daemon, config);
	return 0;
}
