/* SPDX-License-Identifier: MIT */
/*
 * The parent's side of asking hwloc: starts the child, reads its text with a deadline, checks and
 * parses it. The child's fate is a sentence, never ours.
 *
 *   parent --fork--> child: limits, hwloc, text --pipe--> parent: bound, parse, share CPUs out
 *
 * Cost: one fork, a few ms; the text is some 40 bytes per node and per known link.
 */
#include "machine/probe.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/units.h"
#include "machine/build.h"
#include "machine/probe_hwloc.h"

#define DEADLINE_MS 30000

static _Noreturn void run_child(const struct probe_source *source, int to)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (nothing >= 0)
		for (int fd = 0; fd < 3; fd++)
			dup2(nothing, fd);
	struct printbuf out = PRINTBUF_HEAP;
	out.max_size = PROBE_MAX_TEXT;
	int status = probe_hwloc_run(source, &out);
	const char *text = printbuf_str(&out);
	for (size_t done = 0; status == 0 && done < out.pos;) {
		ssize_t nr = write(to, text + done, out.pos - done);
		if (nr <= 0)
			status = 1;
		else
			done += (size_t)nr;
	}
	_exit(status);
}

static int64_t now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int read_text(int from, struct printbuf *text)
{
	int64_t deadline = now_ms() + DEADLINE_MS;
	char buffer[65536];
	for (;;) {
		struct pollfd wait = { .fd = from, .events = POLLIN };
		int64_t left = deadline - now_ms();
		int ready = left > 0 ? poll(&wait, 1, (int)left) : 0;
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return ready < 0 ? -errno : -ETIMEDOUT;
		ssize_t nr = read(from, buffer, sizeof(buffer));
		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			return nr < 0 ? -errno : 0;
		if (text->pos + (size_t)nr > PROBE_MAX_TEXT)
			return -EFBIG;
		prt_mem(text, buffer, (size_t)nr);
	}
}

static int child_fate(int status, int error, const char *path, struct printbuf *err)
{
	if (error == -ETIMEDOUT)
		return error_set(err, -EBADMSG, "%s: hwloc did not come to an end with it", path);
	if (error)
		return error_set(err, error, "%s: cannot read what hwloc found: %s", path,
				 error_text(error));
	if (WIFSIGNALED(status))
		return error_set(err, -EBADMSG,
				 "%s: hwloc failed on it (signal %d); the file is damaged or "
				 "malicious, capture the machine again",
				 path, WTERMSIG(status));
	if (WEXITSTATUS(status) != 0)
		return error_set(err, -EBADMSG,
				 "%s: hwloc cannot make a machine of it; capture it again, or "
				 "describe the machine in a line such as node:dram:64GiB:cpus=0-3",
				 path);
	return 0;
}

static int ask_child(const struct probe_source *source, const char *path, struct printbuf *text,
		     struct printbuf *err)
{
	int pipe_fds[2], status = 0;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return error_set(err, -errno, "cannot make a pipe: %s", error_text(-errno));
	pid_t child = fork();
	if (child < 0) {
		int error = -errno;
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		return error_set(err, error, "cannot start a process: %s", error_text(error));
	}
	if (child == 0)
		run_child(source, pipe_fds[1]);
	close(pipe_fds[1]);
	int error = read_text(pipe_fds[0], text);
	close(pipe_fds[0]);
	if (error)
		kill(child, SIGKILL);
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (!error && printbuf_has_error(text))
		error = -ENOMEM;
	return child_fate(status, error, path, err);
}

void probe_fini(struct probe *probe)
{
	for (size_t i = 0; i < probe->nr_nodes; i++)
		set_fini(&probe->nodes[i].cpus);
	free(probe->nodes);
	free(probe->figures);
	*probe = (struct probe){ 0 };
}

/* The array with room for one more; doubles at powers of two. NULL when out of memory. */
static void *with_room(void *items, size_t nr, size_t size)
{
	return nr & (nr - 1) ? items : realloc(items, MAX(nr * 2, 1) * size);
}

static int parse_node(struct probe *probe, char *rest)
{
	uint64_t id = 0;
	struct probe_node node = { 0 };
	const char *words[4];
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (!(words[i] = strsep(&rest, " ")))
			return -EBADMSG;
	if (rest || parse_u64(words[0], &id) || id > SET_MAX ||
	    parse_u64(words[1], &node.size_bytes) || strlen(words[3]) >= sizeof(node.subtype))
		return -EBADMSG;
	node.id = (uint32_t)id;
	if (strcmp(words[3], "-") != 0)
		strcpy(node.subtype, words[3]);
	struct probe_node *nodes = with_room(probe->nodes, probe->nr_nodes, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	probe->nodes = nodes;
	if (strcmp(words[2], "-") != 0 && set_parse(words[2], &node.cpus))
		return -EBADMSG;
	nodes[probe->nr_nodes++] = node;
	return 0;
}

static int parse_figure(struct probe *probe, enum probe_figure_kind kind, char *rest)
{
	uint64_t numbers[3] = { 0 };
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		const char *word = strsep(&rest, " ");
		if (!word || parse_u64(word, &numbers[i]))
			return -EBADMSG;
	}
	if (rest || numbers[0] > SET_MAX || numbers[1] > SET_MAX)
		return -EBADMSG;
	struct probe_figure *figures = with_room(probe->figures, probe->nr_figures,
						 sizeof(*figures));
	if (!figures)
		return -ENOMEM;
	probe->figures = figures;
	figures[probe->nr_figures++] = (struct probe_figure){
		.kind = kind,
		.from = (uint32_t)numbers[0],
		.to = (uint32_t)numbers[1],
		.value = numbers[2],
	};
	return 0;
}

static int parse_record(struct probe *probe, char *record, bool *ret_end)
{
	static const char *const words[] = { "latency", "bandwidth", "distance" };
	char *rest = record;
	const char *word = strsep(&rest, " ");
	if (strcmp(word, "end") == 0 && !rest) {
		*ret_end = true;
		return 0;
	}
	if (strcmp(word, "node") == 0)
		return parse_node(probe, rest);
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0)
			return parse_figure(probe, (enum probe_figure_kind)i, rest);
	return -EBADMSG;
}

static int compare_nodes(const void *a, const void *b)
{
	const struct probe_node *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static int check_ids(const struct probe *probe)
{
	for (size_t i = 1; i < probe->nr_nodes; i++)
		if (probe->nodes[i - 1].id == probe->nodes[i].id)
			return -EBADMSG;
	return probe->nr_nodes > 0 ? 0 : -EBADMSG;
}

int probe_parse(const char *text, size_t nr_bytes, struct probe *ret)
{
	struct probe probe = { 0 };
	bool is_end = false;
	int error = 0;
	char *copy = strndup(text, nr_bytes);
	if (!copy)
		return -ENOMEM;
	for (char *rest = copy, *record; !error && !is_end && (record = strsep(&rest, "\n"));)
		error = parse_record(&probe, record, &is_end);
	free(copy);
	if (!error && !is_end)
		error = -EBADMSG;
	if (!error && probe.nr_nodes > 1)
		qsort(probe.nodes, probe.nr_nodes, sizeof(*probe.nodes), compare_nodes);
	if (!error)
		error = check_ids(&probe);
	if (error)
		probe_fini(&probe);
	else
		*ret = probe;
	return error;
}

static bool is_special(const struct probe_node *node)
{
	return *node->subtype && strcmp(node->subtype, "DRAM") != 0;
}

/* Who comes first takes its CPUs. */
static int compare_claims(const void *a, const void *b)
{
	const struct probe_node *x = *(const struct probe_node *const *)a;
	const struct probe_node *y = *(const struct probe_node *const *)b;
	uint32_t nr_x = set_count(&x->cpus), nr_y = set_count(&y->cpus);
	if (nr_x != nr_y)
		return nr_x < nr_y ? -1 : 1;
	if (is_special(x) != is_special(y))
		return is_special(x) ? 1 : -1;
	return x->id < y->id ? -1 : x->id > y->id;
}

int probe_share_cpus(struct probe *probe)
{
	struct probe_node **claims = calloc(probe->nr_nodes, sizeof(struct probe_node *));
	struct set taken = SET_EMPTY;
	int error = 0;
	if (!claims)
		return -ENOMEM;
	for (size_t i = 0; i < probe->nr_nodes; i++)
		claims[i] = &probe->nodes[i];
	qsort(claims, probe->nr_nodes, sizeof(*claims), compare_claims);
	for (size_t i = 0; i < probe->nr_nodes && !error; i++) {
		set_andnot(&claims[i]->cpus, &taken);
		error = set_or(&taken, &claims[i]->cpus);
	}
	free(claims);
	set_fini(&taken);
	return error;
}

static int run_probe(const struct probe_source *source, const char *path, struct probe *ret,
		     struct printbuf *err)
{
	PRINTBUF(text);
	int error = ask_child(source, path, &text, err);
	if (error)
		return error;
	error = probe_parse(printbuf_str(&text), text.pos, ret);
	if (error == -EBADMSG)
		return error_set(err, error,
				 "%s: what hwloc found in it is no machine; capture it again",
				 path);
	return error ? error_set(err, error, "out of memory") : 0;
}

int probe_root(const char *root, bool is_host, const char *path, struct probe *ret,
	       struct printbuf *err)
{
	struct probe_source source = { .root = root, .is_host = is_host };
	return run_probe(&source, path, ret, err);
}

int probe_xml(const char *xml, size_t nr_bytes, const char *path, struct probe *ret,
	      struct printbuf *err)
{
	struct probe_source source = { .xml = xml, .xml_bytes = nr_bytes };
	return run_probe(&source, path, ret, err);
}
