/* SPDX-License-Identifier: MIT */
/* The daemon in JSON (daemon_status.h). */
#include "linux/daemon_status.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"

static void add_share(struct json_writer *json, const char *key, uint64_t part_ns,
		      uint64_t whole_ns)
{
	json_fixed(json, key, whole_ns ? (double)part_ns / (double)whole_ns : 0, 6);
}

/* What the placer holds and takes. */
static void add_placer(struct json_writer *json, const struct placer *placer)
{
	const struct engine_stats *stats = engine_stats(placer->engine);
	uint64_t passed_ns = clock_now_ns() - placer->begun_ns;
	PRINTBUF(names);
	json_str(json, "policy", placer->wish.policy->name);
	live_costs_names(&names, placer->live.costs, placer->live.nr_costs);
	json_str(json, "sampler", names.pos ? printbuf_str(&names) : placer->samplers[0]->name);
	json_str(json, "mover", placer->wish.is_dry ? mover_dry.name : placer->mover->ops->name);
	add_share(json, "sampling_share", placer->live.sampling_ns, passed_ns);
	add_share(json, "sampling_kernel_share", placer->live.kernel_ns, passed_ns);
	add_share(json, "moving_share", placer->live.moving_ns, passed_ns);
	add_share(json, "ticking_share", placer->ticking_ns, passed_ns);
	json_u64(json, "samples", stats->nr_samples);
	json_u64(json, "policy_bytes", engine_policy_bytes(placer->engine));
}

void daemon_to_json(struct json_writer *json, const char *key, const struct daemon *daemon)
{
	uint64_t passed_ns = clock_now_ns() - daemon->begun_ns;
	json_object_begin(json, key);
	json_u64(json, "pid", (uint64_t)getpid());
	json_bool(json, "dry_run", daemon->is_dry);
	json_u64(json, "fast_bytes", daemon->fast_bytes);
	json_u64(json, "processes", daemon->nr_processes);
	json_u64(json, "running_ns", passed_ns);
	add_share(json, "cpu_share", clock_process_cpu_ns(), passed_ns);
	add_share(json, "scanning_share", daemon->scanning_ns, passed_ns);
	json_u64(json, "wakeups", daemon->nr_turns);
	json_u64(json, "hung_up", daemon->server.nr_hung_up);
	json_bool(json, "places_memory", daemon->placer != NULL);
	json_str(json, "why_no_memory", daemon->why_no_memory[0] ? daemon->why_no_memory : NULL);
	if (daemon->placer)
		add_placer(json, daemon->placer);
	json_object_end(json);
}

static void add_cap(struct json_writer *json, const char *key, uint64_t bytes)
{
	if (bytes == UINT64_MAX)
		json_null(json, key);
	else
		json_u64(json, key, bytes);
}

static void add_patience(struct json_writer *json, const struct placer *placer, uint32_t number)
{
	const struct patience *patience = placer ? &placer->patience[number] : NULL;
	uint64_t now_ns = clock_now_ns();
	bool is_left = patience && patience->until_ns > now_ns;
	if (is_left)
		json_u64(json, "left_alone_for_ns", patience->until_ns - now_ns);
	else
		json_null(json, "left_alone_for_ns");
	json_str(json, "left_alone_why", is_left ? patience->why : NULL);
}

static void add_memory(struct json_writer *json, const struct daemon *daemon, uint32_t number)
{
	static const struct placer_counts none;
	static const struct policy_job nothing;
	const struct placer *placer = daemon->placer;
	bool is_placed = placer && number < placer->nr_jobs;
	const struct policy_job *job = is_placed ? &placer->jobs[number] : &nothing;
	const struct placer_counts *counts = is_placed ? &placer->counts[number] : &none;
	uint32_t page_bytes = daemon->machine->page_bytes;
	if (is_placed) {
		json_u64(json, "fast_bytes", job->fast_pages * page_bytes);
		json_u64(json, "slow_bytes", job->slow_pages * page_bytes);
	} else {
		json_null(json, "fast_bytes"); /* nobody counts them */
		json_null(json, "slow_bytes");
	}
	json_u64(json, "floor_bytes", daemon->jobs[number].floor_bytes);
	add_cap(json, "cap_bytes", daemon->jobs[number].cap_bytes);
	json_u64(json, "promoted_pages", counts->nr_promoted);
	json_u64(json, "demoted_pages", counts->nr_demoted);
	json_u64(json, "wanted_up_pages", counts->nr_wanted_up);
	json_u64(json, "wanted_down_pages", counts->nr_wanted_down);
	json_u64(json, "round_trip_pages", counts->nr_trips);
	json_object_begin(json, "refused_pages");
	for (unsigned i = MOVE_DONE + 1; i < MOVE_NR_OUTCOMES; i++)
		json_u64(json, move_outcome_names[i], counts->nr_outcome[i]);
	json_object_end(json);
	add_patience(json, is_placed ? placer : NULL, number);
}

static void add_cpu_set(struct json_writer *json, const char *key, const struct set *set)
{
	PRINTBUF(list);
	set_to_text(&list, set);
	json_str(json, key, printbuf_str(&list));
}

static void add_cpus(struct json_writer *json, const struct daemon_cpus *cpus)
{
	if (!cpus) {
		json_null(json, "cpus");
		return;
	}
	const struct job_counts *counts = &cpus->job.rule.counts;
	json_object_begin(json, "cpus");
	add_cpu_set(json, "prefer", &cpus->wish.prefer);
	add_cpu_set(json, "allow", &cpus->job.allowed);
	add_cpu_set(json, "now", &cpus->job.mask);
	json_str(json, "engine", cpus->job.engine->name);
	json_u64(json, "held", cpus->nr);
	json_u64(json, "not_held", cpus->nr_unheld);
	json_u64(json, "looks", counts->nr_looks);
	json_u64(json, "held_back", counts->nr_held);
	json_u64(json, "spilled", counts->nr_spilled);
	json_u64(json, "called_home", counts->nr_called_home);
	json_u64(json, "evicted", counts->nr_evicted);
	json_object_end(json);
}

void daemon_job_to_json(struct json_writer *json, const struct daemon *daemon, uint32_t number)
{
	static const char *const goals[] = { "balanced", "performance", "background" };
	const struct daemon_job *job = &daemon->jobs[number];
	json_object_begin(json, NULL);
	json_str(json, "job", job->name);
	json_str(json, "state",
		 job->is_stopped	  ? "stopped"
		 : job->let_go_until_ns	  ? "let go by a trial"
		 : job->nr_processes == 0 ? "no process"
		 : daemon->is_dry	  ? "dry run"
					  : "placed");
	json_u64(json, "processes", job->nr_processes);
	json_str(json, "goal", job->config ? goals[job->config->goal] : NULL);
	add_memory(json, daemon, number);
	add_cpus(json, job->cpus);
	json_object_end(json);
}

static void add_event(struct json_writer *json, const struct daemon *daemon,
		      const struct ledger_event *event)
{
	const struct placer *placer = daemon->placer;
	PRINTBUF(address);
	prt_printf(&address, "0x%llx",
		   (unsigned long long)event->page * daemon->machine->page_bytes);
	json_object_begin(json, NULL);
	json_u64(json, "ago_ns", clock_now_ns() - event->time_ns);
	json_str(json, "job", daemon->jobs[event->job].name);
	json_u64(json, "pid", (uint64_t)placer->live.spaces[event->space].pid);
	json_str(json, "address", printbuf_str(&address));
	json_u64(json, "pages", event->nr_pages);
	json_str(json, "kind", event->outcome == MOVE_DONE ? "moved" : "refused");
	json_str(json, "outcome", move_outcome_names[event->outcome]);
	json_s64(json, "from",
		 event->from < daemon->machine->nr_nodes
			 ? (int64_t)daemon->machine->nodes[event->from].id
			 : -1);
	json_s64(json, "to",
		 event->to < daemon->machine->nr_nodes
			 ? (int64_t)daemon->machine->nodes[event->to].id
			 : -1);
	json_str(json, "why", event->why);
	json_object_end(json);
}

static bool is_asked_for(const struct daemon *daemon, const struct ledger_event *event,
			 const struct daemon_page *page, const bool *seen)
{
	const struct live *live = &daemon->placer->live;
	uint64_t wanted = page->address / daemon->machine->page_bytes;
	if (event->job >= DAEMON_JOBS_MAX || !seen[event->job] || event->space >= live->nr_spaces)
		return false;
	if (page->pid && live->spaces[event->space].pid != page->pid)
		return false;
	return !page->is_given || (wanted >= event->page && wanted - event->page < event->nr_pages);
}

/* Of the page in each process that is watched: how often it moved, and back again. */
static uint32_t add_pages(struct json_writer *json, const struct daemon *daemon,
			  const struct daemon_page *page, const bool *seen)
{
	const struct placer *placer = daemon->placer;
	uint64_t wanted = page->address / daemon->machine->page_bytes;
	uint32_t nr = 0;
	for (uint32_t i = 0; i < placer->live.nr_spaces && page->is_given && nr < 64; i++) {
		const struct ledger_page *known = ledger_find(&placer->ledger, i, wanted);
		uint32_t job = placer->live.job_of[i];
		if (!known || job >= DAEMON_JOBS_MAX || !seen[job] ||
		    (page->pid && placer->live.spaces[i].pid != page->pid))
			continue;
		json_object_begin(json, NULL);
		json_str(json, "job", daemon->jobs[job].name);
		json_u64(json, "pid", (uint64_t)placer->live.spaces[i].pid);
		json_u64(json, "moves", known->nr_moves);
		json_u64(json, "round_trips", known->nr_trips);
		json_str(json, "wanted_why", known->why);
		json_object_end(json);
		nr++;
	}
	return nr;
}

int daemon_explain_to_json(struct json_writer *json, const struct daemon *daemon,
			   const struct daemon_page *page, const bool *seen, struct printbuf *err)
{
	const struct ledger_event *event;
	uint32_t nr = 0, nr_refused = 0;
	if (!daemon->placer)
		return error_set(err, -ENOENT, "no memory is placed now%s%s",
				 daemon->why_no_memory[0] ? ": " : "", daemon->why_no_memory);
	json_object_begin(json, NULL);
	json_u64(json, "version", 1);
	json_array_begin(json, "pages");
	uint32_t nr_pages = add_pages(json, daemon, page, seen);
	json_array_end(json);
	json_array_begin(json, "events"); /* the last one first */
	for (uint64_t age = 0;
	     nr < EXPLAIN_EVENTS_MAX && (event = ledger_event(&daemon->placer->ledger, age)); age++)
		if (is_asked_for(daemon, event, page, seen) &&
		    (event->outcome == MOVE_DONE || nr_refused < EXPLAIN_REFUSED_MAX)) {
			add_event(json, daemon, event);
			nr_refused += event->outcome != MOVE_DONE;
			nr++;
		}
	json_array_end(json);
	json_object_end(json);
	if (page->is_given && nr + nr_pages == 0)
		return error_set(err, -ENOENT,
				 "0x%llx: nothing was decided about it lately; only pages of jobs "
				 "that moved, or were refused, are remembered",
				 (unsigned long long)page->address);
	return 0;
}
