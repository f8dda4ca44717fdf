/* SPDX-License-Identifier: MIT */
/* What several checks of the doctor ask: the kernel's version and configuration, our rights. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "linux/doctor.h"
#include "linux/process.h"

#define CONFIG_MAX ((size_t)4 << 20) /* unpacked; Debian's has 300 KB */

/* gzread(3) takes both a packed and a plain file. */
static char *read_config(const struct root *root, const char *path)
{
	int fd = rootfile_open(root, path, O_RDONLY | O_NONBLOCK);
	gzFile file = fd < 0 ? NULL : gzdopen(fd, "rb");
	char *text = file ? malloc(CONFIG_MAX + 1) : NULL;
	if (!file && fd >= 0)
		close(fd);
	int nr = text ? gzread(file, text, CONFIG_MAX) : -1;
	if (file)
		gzclose(file);
	if (nr <= 0) {
		free(text);
		return NULL;
	}
	text[nr] = '\0';
	char *fitting = strdup(text);
	free(text);
	return fitting;
}

static void find_config(struct doctor *doctor)
{
	static const char *const patterns[] = { "boot/config-%s", "usr/lib/modules/%s/config",
						"lib/modules/%s/config" };
	char path[sizeof(doctor->config_path)] = "proc/config.gz";
	doctor->config = read_config(doctor->root, path);
	for (size_t i = 0; !doctor->config && doctor->release && i < ARRAY_SIZE(patterns); i++) {
		int len = snprintf(path, sizeof(path), patterns[i], doctor->release);
		if (len > 0 && (size_t)len < sizeof(path) && !strchr(doctor->release, '/'))
			doctor->config = read_config(doctor->root, path);
	}
	if (doctor->config)
		strcpy(doctor->config_path, path);
}

enum config_value doctor_config(const struct doctor *doctor, const char *option)
{
	size_t len = strlen(option);
	const char *at = doctor->config;
	if (!at)
		return CONFIG_UNKNOWN;
	for (; (at = strstr(at, "CONFIG_")); at += strlen("CONFIG_")) {
		const char *name = at + strlen("CONFIG_");
		bool is_first = at == doctor->config || at[-1] == '\n';
		if (is_first && strncmp(name, option, len) == 0 && name[len] == '=')
			return name[len + 1] == 'm' ? CONFIG_MODULE : CONFIG_BUILT_IN;
	}
	return CONFIG_NOT_SET;
}

static uint64_t status_number(const char *status, const char *key, int base, bool *ret_known)
{
	const char *at = strstr(status, key);
	*ret_known = at && (at == status || at[-1] == '\n');
	return *ret_known ? strtoull(at + strlen(key), NULL, base) : 0;
}

static void read_status(struct doctor *doctor)
{
	char *status = NULL;
	bool has_capabilities = false, has_seccomp = false;
	if (root_read(doctor->root, "proc/self/status", &status))
		return;
	doctor->capabilities = status_number(status, "CapEff:", 16, &has_capabilities);
	doctor->seccomp = (int)status_number(status, "Seccomp:", 10, &has_seccomp);
	doctor->has_status = has_capabilities;
	free(status);
}

bool doctor_can(const struct doctor *doctor, unsigned capability)
{
	return !doctor->has_status || (doctor->capabilities >> capability & 1);
}

void doctor_read_choice(const struct doctor *doctor, const char *path, struct printbuf *out)
{
	char *text = NULL;
	if (root_read(doctor->root, path, &text))
		return;
	const char *open = strchr(text, '[');
	const char *close = open ? strchr(open, ']') : NULL;
	if (close)
		prt_mem(out, open + 1, (size_t)(close - open - 1));
	else
		prt_mem(out, text, strcspn(text, "\n"));
	free(text);
}

int doctor_read_switch(const struct doctor *doctor, const char *path)
{
	PRINTBUF(text);
	doctor_read_choice(doctor, path, &text);
	const char *word = printbuf_str(&text);
	if (!*word)
		return -1;
	return !(*word == '0' || *word == 'N' || *word == 'n' || strcmp(word, "false") == 0);
}

void doctor_read_facts(struct doctor *doctor)
{
	char *release = NULL;
	if (root_read(doctor->root, "proc/sys/kernel/osrelease", &release) == 0) {
		doctor->release = release;
		doctor->version = kernel_version_of(release);
	}
	find_config(doctor);
	read_status(doctor);
	if (doctor->root->is_host)
		doctor_try(doctor);
	else
		for (int i = 0; i < TRY_NR_TRIALS; i++)
			doctor->trials[i] = TRIAL_NOT_TRIED;
}
