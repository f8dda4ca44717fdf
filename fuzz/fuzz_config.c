/* SPDX-License-Identifier: MIT */
/* Configurations: the files of one are divided by a line "%". What is taken is printed as text that
 * parses to the same, and as JSON; what is refused says where and why. */
#include <stdlib.h>
#include <string.h>

#include "linux/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool condition)
{
	if (!condition)
		abort();
}

static void check_round_trip(const struct config *config)
{
	struct config *again = NULL;
	PRINTBUF(text);
	PRINTBUF(err);
	PRINTBUF(json);
	config_to_text(&text, config);
	config_to_json(&json, config);
	demand(json.pos > 0);
	demand(config_new(&again) == 0);
	demand(config_add_text(again, "again", printbuf_str(&text), text.pos, &err) == 0);
	demand(config_check(again, &err) == 0);
	demand(config_is_equal(config, again));
	config_free(again);
}

static void check_values(const struct config *config)
{
	demand(config->nr_jobs <= CONFIG_MAX_JOBS && config->daemon.dry_run <= 1);
	for (size_t i = 0; i < config->nr_jobs; i++) {
		const struct config_job *job = &config->jobs[i];
		demand(job->matches.nr > 0 && job->matches.nr <= CONFIG_MAX_MATCHES);
		demand(set_is_valid(&job->prefer) && set_is_valid(&job->allow));
		for (size_t k = 0; k < job->matches.nr; k++)
			demand(!job->matches.items[k].pattern ==
			       (job->matches.items[k].kind == CONFIG_MATCH_PID));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config *config = NULL;
	const char *at = (const char *)data, *end = at + size;
	int error = 0;
	PRINTBUF(err);
	demand(config_new(&config) == 0);
	while (!error && at < end) {
		const char *cut = memmem(at, (size_t)(end - at), "\n%\n", 3);
		size_t len = cut ? (size_t)(cut - at) : (size_t)(end - at);
		error = config_add_text(config, "fuzz.conf", at, len, &err);
		at = cut ? cut + 3 : end;
	}
	if (!error)
		error = config_check(config, &err);
	demand(!error == !err.pos);
	if (!error) {
		check_values(config);
		check_round_trip(config);
	}
	config_free(config);
	return 0;
}
