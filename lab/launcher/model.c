/* SPDX-License-Identifier: MIT */
#include "lab/launcher/model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/lab.h"

#define NONE UINT32_MAX

/* From the CPUs of every vCPU's node to every node with memory. */
static void set_links(struct lab_model *model, const struct machine *machine)
{
	for (uint32_t vcpu = 0; vcpu < model->nr_vcpus; vcpu++) {
		uint32_t from = model->node_of_vcpu[vcpu];
		for (uint32_t to = 0; to < model->nr_nodes; to++) {
			const struct machine_link *link = machine_link(machine, from, to);
			model->latency_ns[from][to] = (uint32_t)MIN(link->latency_ns, UINT32_MAX);
			model->bandwidth_bytes_per_s[from][to] = link->bandwidth_bytes_per_s;
		}
	}
}

/* Per ten thousand; 10000 when there is nothing to scale. */
static uint32_t scale_of(double felt_ns, double modelled_ns)
{
	double scale = modelled_ns > 0 ? felt_ns / modelled_ns * 1e4 + 0.5 : 1e4;
	return scale >= UINT32_MAX ? UINT32_MAX : (uint32_t)scale;
}

static void set_scales(struct lab_model *model, uint32_t scale_bp)
{
	uint64_t latency = UINT64_MAX, bandwidth = 0;
	for (uint32_t from = 0; from < model->nr_nodes; from++)
		for (uint32_t to = 0; to < model->nr_nodes; to++) {
			if (model->latency_ns[from][to])
				latency = MIN(latency, model->latency_ns[from][to]);
			bandwidth = MAX(bandwidth, model->bandwidth_bytes_per_s[from][to]);
		}
	if (latency == UINT64_MAX)
		latency = 0;
	double line_ns = bandwidth ? model->line_bytes * 1e9 / (double)bandwidth : 0;
	model->scale_bp = scale_bp ? scale_bp : scale_of(LAB_FELT_LATENCY_NS, (double)latency);
	model->line_scale_bp = scale_of(LAB_FELT_LINE_NS, line_ns);
	model->slack_ns = LAB_FELT_LATENCY_NS;
}

static void set_model(struct lab_model *model, const struct machine *machine,
		      const struct lab_layout *layout, enum lab_time time,
		      const struct lab_model_options *options)
{
	model->version = LAB_MODEL_VERSION;
	model->time = time;
	model->nr_nodes = machine->nr_nodes;
	model->nr_vcpus = layout->nr_vcpus;
	model->nr_ranges = layout->nr_ranges;
	model->cache_bytes = options->cache_bytes ? options->cache_bytes : LAB_CACHE_BYTES;
	model->cache_ways = options->cache_ways ? options->cache_ways : LAB_CACHE_WAYS;
	model->line_bytes = LAB_LINE_BYTES;
	memcpy(model->ranges, layout->ranges, sizeof(layout->ranges));
	memcpy(model->node_of_vcpu, layout->node_of_vcpu, sizeof(layout->node_of_vcpu));
	set_links(model, machine);
	set_scales(model, options->scale_bp);
}

static int check_options(const struct lab_model_options *options, struct printbuf *err)
{
	uint32_t ways = options->cache_ways ? options->cache_ways : LAB_CACHE_WAYS;
	uint32_t bytes = options->cache_bytes ? options->cache_bytes : LAB_CACHE_BYTES;
	if (ways > 16)
		return error_set(err, -EINVAL, "a cache of %u ways; the lab models up to 16", ways);
	if (bytes < ways * LAB_LINE_BYTES)
		return error_set(err, -EINVAL,
				 "a cache of %u bytes holds no set of %u lines; make it larger",
				 bytes, ways);
	return 0;
}

int lab_counting_init(const struct machine *machine, const struct lab_layout *layout,
		      enum lab_time time, const struct lab_model_options *options,
		      struct lab_counting *ret, struct printbuf *err)
{
	static const struct lab_model_options defaults;
	options = options ? options : &defaults;
	int error = check_options(options, err);
	if (error)
		return error;
	int fd = memfd_create("berth-latency", MFD_CLOEXEC);
	if (fd < 0 || ftruncate(fd, sizeof(struct lab_shared)) != 0) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		return error_set(err, error, "memory for the latency model: %s", error_text(error));
	}
	void *shared = mmap(NULL, sizeof(struct lab_shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			    0);
	if (shared == MAP_FAILED) {
		error = -errno;
		close(fd);
		return error_set(err, error, "memory for the latency model: %s", error_text(error));
	}
	*ret = (struct lab_counting){ .fd = fd, .shared = shared };
	set_model(&ret->shared->model, machine, layout, time, options);
	return 0;
}

void lab_counting_fini(struct lab_counting *counting)
{
	if (!counting->shared)
		return;
	munmap(counting->shared, sizeof(*counting->shared));
	close(counting->fd);
	*counting = (struct lab_counting){ .fd = -1 };
}

/* QEMU's words: a comma in a value is said twice. */
static void prt_value(struct printbuf *out, const char *value)
{
	for (; *value; value++) {
		if (*value == ',')
			prt_char(out, ',');
		prt_char(out, *value);
	}
}

void lab_counting_words(struct printbuf *out, const char *plugin_path,
			const struct lab_counting *counting, const char *record_words)
{
	prt_value(out, plugin_path);
	prt_printf(out, ",memory=%d", counting->fd);
	if (record_words) {
		prt_str(out, ",record=");
		prt_value(out, record_words);
	}
}

bool lab_counting_is_up(const struct lab_counting *counting)
{
	return __atomic_load_n(&counting->shared->model.plugin_version, __ATOMIC_ACQUIRE) != 0;
}

struct lab_shared *lab_counting_copy(const struct lab_counting *counting)
{
	struct lab_shared *copy = malloc(sizeof(*copy));
	if (copy)
		memcpy(copy, counting->shared, sizeof(*copy));
	return copy;
}

uint32_t lab_find_snapshot(const struct lab_shared *counters, uint32_t name)
{
	uint32_t nr = counters->model.nr_snapshots;
	for (uint32_t back = 1; back <= MIN(nr, LAB_MAX_SNAPSHOTS); back++) {
		uint32_t index = (nr - back) % LAB_MAX_SNAPSHOTS;
		if (counters->snapshots[index].name == name)
			return index;
	}
	return NONE;
}

static void add_count(struct lab_count *sum, const struct lab_count *count)
{
	sum->nr_load_misses += count->nr_load_misses;
	sum->nr_store_misses += count->nr_store_misses;
	sum->nr_sequential += count->nr_sequential;
	sum->wait_ns += count->wait_ns;
}

struct lab_count lab_count_of(const struct lab_shared *counters, uint32_t node, uint32_t phase)
{
	struct lab_count sum = { 0 };
	for (uint32_t vcpu = 0; vcpu < counters->model.nr_vcpus; vcpu++)
		for (uint32_t i = 0; i < LAB_MAX_PHASES; i++)
			if (phase == NONE || phase == i)
				add_count(&sum, &counters->vcpus[vcpu].counts[i][node]);
	return sum;
}

uint64_t lab_instructions_of(const struct lab_shared *counters)
{
	uint64_t sum = 0;
	for (uint32_t vcpu = 0; vcpu < counters->model.nr_vcpus; vcpu++)
		sum += counters->vcpus[vcpu].nr_instructions;
	return sum;
}

static double missed_ns(const struct lab_model *model, uint32_t vcpu, uint32_t to,
			const struct lab_count *count)
{
	uint32_t from = model->node_of_vcpu[vcpu];
	uint64_t bandwidth = model->bandwidth_bytes_per_s[from][to];
	double line_ns = bandwidth ? model->line_bytes * 1e9 / (double)bandwidth : 0;
	return (double)(count->nr_load_misses + count->nr_store_misses) *
		       model->latency_ns[from][to] +
	       (double)count->nr_sequential * line_ns;
}

uint64_t lab_modelled_ns(const struct lab_shared *counters, uint64_t ns_per_kinstr)
{
	const struct lab_model *model = &counters->model;
	double ns = 0;
	for (uint32_t vcpu = 0; vcpu < model->nr_vcpus; vcpu++) {
		const struct lab_vcpu *counted = &counters->vcpus[vcpu];
		ns += (double)counted->nr_instructions * (double)ns_per_kinstr / 1000;
		for (uint32_t phase = 0; phase < LAB_MAX_PHASES; phase++)
			for (uint32_t to = 0; to < model->nr_nodes; to++)
				ns += missed_ns(model, vcpu, to, &counted->counts[phase][to]);
	}
	return (uint64_t)ns;
}
