/* SPDX-License-Identifier: MIT */
/*
 * /lab.conf read: lines "key value" with escapes undone in place (they only shrink), one pass to
 * count and one to fill. lab/launcher/conf.c writes it; a unit test takes both round, so a key that
 * is not known here is an error and not skipped.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lab/guest/agent.h"

#define CONF_MAX ((off_t)8 << 20) /* arguments and environment of a program are at most 6 MB */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes escapes; false when one is not whole or means NUL. */
static bool unescape(char *text)
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		if (*from != '\\') {
			*to++ = *from;
			continue;
		}
		from++;
		if (*from == 'n') {
			*to++ = '\n';
		} else if (*from == '\\') {
			*to++ = '\\';
		} else if (*from == 'x' && hex_digit(from[1]) >= 0 && hex_digit(from[2]) >= 0) {
			*to = (char)(hex_digit(from[1]) << 4 | hex_digit(from[2]));
			if (!*to++)
				return false;
			from += 2;
		} else {
			return false;
		}
	}
	*to = '\0';
	return true;
}

/* "FIRST SECOND" parted at the space, both unescaped; NULL when there is no second. */
static char *second_word(char *value)
{
	char *space = strchr(value, ' ');
	if (!space)
		return NULL;
	*space = '\0';
	return unescape(value) && unescape(space + 1) ? space + 1 : NULL;
}

static bool number(const char *text, uint64_t max, uint64_t *ret)
{
	char *end;
	errno = 0;
	unsigned long long value = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || value > max)
		return false;
	*ret = value;
	return true;
}

static bool take_setting(struct agent_conf *conf, char *value, bool is_optional)
{
	char *second = second_word(value);
	conf->settings[conf->nr_settings++] = (struct agent_setting){ value, second, is_optional };
	return second != NULL;
}

static bool take_share(struct agent_conf *conf, char *value)
{
	conf->share_path = second_word(value);
	conf->share_tag = value;
	return conf->share_path && conf->share_path[0] == '/';
}

static bool take_user(struct agent_conf *conf, char *value)
{
	uint64_t user, group;
	char *second = second_word(value);
	if (!second || !number(value, UINT32_MAX - 1, &user) ||
	    !number(second, UINT32_MAX - 1, &group))
		return false;
	conf->user = (uint32_t)user;
	conf->group = (uint32_t)group;
	conf->has_user = true;
	return true;
}

static bool take_flag(const char *value, bool *ret)
{
	*ret = !strcmp(value, "1");
	return *ret || !strcmp(value, "0");
}

static bool take(struct agent_conf *conf, const char *key, char *value)
{
	if (!strcmp(key, "set") || !strcmp(key, "try"))
		return take_setting(conf, value, key[0] == 't');
	if (!strcmp(key, "share"))
		return take_share(conf, value);
	if (!strcmp(key, "user"))
		return take_user(conf, value);
	if (!unescape(value))
		return false;
	if (!strcmp(key, "module"))
		conf->modules[conf->nr_modules++] = value;
	else if (!strcmp(key, "env"))
		conf->env[conf->nr_env++] = value;
	else if (!strcmp(key, "argv"))
		conf->argv[conf->nr_argv++] = value;
	else if (!strcmp(key, "host"))
		conf->host = value;
	else if (!strcmp(key, "cwd"))
		conf->cwd = value;
	else if (!strcmp(key, "report"))
		conf->report = value;
	else if (!strcmp(key, "sample"))
		return number(value, UINT64_MAX, &conf->sample_ns);
	else if (!strcmp(key, "adopt"))
		return take_flag(value, &conf->adopt);
	else if (!strcmp(key, "icount"))
		return take_flag(value, &conf->is_icount);
	else
		return false;
	return true;
}

/* Every list is given room for as many entries as there are lines, and its NULL. */
static bool allocate(struct agent_conf *conf, const char *text)
{
	size_t nr = 1;
	for (; *text; text++)
		nr += *text == '\n';
	conf->modules = calloc(nr, sizeof(*conf->modules));
	conf->env = calloc(nr, sizeof(*conf->env));
	conf->argv = calloc(nr, sizeof(*conf->argv));
	conf->settings = calloc(nr, sizeof(*conf->settings));
	return conf->modules && conf->env && conf->argv && conf->settings;
}

static void free_lists(struct agent_conf *conf)
{
	free(conf->modules);
	free(conf->env);
	free(conf->argv);
	free(conf->settings);
}

static const char *parse_lines(char *text, struct agent_conf *conf)
{
	static char words[120];
	for (char *line = text; *line;) {
		char *newline = strchr(line, '\n');
		char *value = strchr(line, ' ');
		if (!newline)
			return "its last line has no end";
		*newline = '\0';
		if (!value || value > newline)
			return "a line is not \"key value\"";
		*value++ = '\0';
		if (!take(conf, line, value)) {
			snprintf(words, sizeof(words), "key %.40s: not known, or its value is bad",
				 line);
			return words;
		}
		line = newline + 1;
	}
	return conf->nr_argv ? NULL : "it names no program (argv)";
}

const char *conf_parse(char *text, struct agent_conf *ret)
{
	struct agent_conf conf = { 0 };
	const char *wrong = allocate(&conf, text) ? parse_lines(text, &conf) : "no memory for it";
	if (wrong)
		free_lists(&conf);
	else
		*ret = conf;
	return wrong;
}

const char *conf_read(const char *path, struct agent_conf *ret)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return strerror(errno);
	if (status.st_size > CONF_MAX)
		return "it is too long";
	char *text = calloc(1, (size_t)status.st_size + 1);
	ssize_t nr = text ? read(fd, text, (size_t)status.st_size) : -1;
	close(fd);
	if (nr != status.st_size)
		return "it cannot be read whole";
	return conf_parse(text, ret);
}
