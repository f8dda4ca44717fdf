/* SPDX-License-Identifier: MIT */
/* The CPU policies over small made-up states: two nodes of four CPUs, threads in pairs. */
#include "test.h"

#include "base/random.h"
#include "policy/cpu/soft.h"
#include "policy/cpu_policy.h"

#define NR_CPUS	  8
#define NR_RANDOM 20000

struct scene {
	struct cpu_state cpus[NR_CPUS];
	struct set preferred, allowed;
	struct cpu_memory memory;
	struct cpu_request request;
	struct cpu_view view;
	uint64_t values[TUNABLES_MAX];
};

/* CPUs 0 to 3 on node 0 are job 0's, 4 to 7 on node 1 job 1's. */
static void scene_init(struct scene *scene, const char *preferred, const char *allowed)
{
	memset(scene, 0, sizeof(*scene));
	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++)
		scene->cpus[cpu] = (struct cpu_state){ .node = cpu / 4,
						       .core = cpu / 2,
						       .cache = cpu / 4,
						       .owner = cpu / 4,
						       .is_online = true,
						       .is_core_idle = true };
	assert_int_equal(set_parse(preferred, &scene->preferred), 0);
	assert_int_equal(set_parse(allowed, &scene->allowed), 0);
	scene->request = (struct cpu_request){ .previous_cpu = 0,
					       .waker_cpu = CPU_POLICY_NONE,
					       .preferred = &scene->preferred,
					       .allowed = &scene->allowed,
					       .memory = &scene->memory };
	scene->view = (struct cpu_view){ scene->cpus, NR_CPUS, NULL, 2, 1000 };
}

static void scene_fini(struct scene *scene)
{
	set_fini(&scene->preferred);
	set_fini(&scene->allowed);
}

static void busy(struct scene *scene, uint32_t first, uint32_t last, uint32_t load_bp)
{
	for (uint32_t cpu = first; cpu <= last; cpu++) {
		scene->cpus[cpu].nr_running = 1;
		scene->cpus[cpu].is_core_idle = false;
		scene->cpus[cpu].load_bp = load_bp;
	}
}

static const struct cpu_policy_ops *policy(struct scene *scene, const char *name)
{
	const struct cpu_policy_ops *ops = cpu_policy_find(name);
	assert_non_null(ops);
	tunables_defaults(ops->tunables, ops->nr_tunables, scene->values);
	return ops;
}

static struct cpu_choice choose(struct scene *scene, const char *name)
{
	return policy(scene, name)->choose(&scene->request, &scene->view, scene->values);
}

static void test_each_has_a_name_and_a_summary(void **state)
{
	(void)state;
	for (size_t i = 0; cpu_policies[i]; i++) {
		assert_ptr_equal(cpu_policy_find(cpu_policies[i]->name), cpu_policies[i]);
		assert_true(strlen(cpu_policies[i]->summary) > 10);
		assert_non_null(cpu_policies[i]->choose);
		for (size_t t = 0; t < cpu_policies[i]->nr_tunables; t++) {
			const struct tunable *tunable = &cpu_policies[i]->tunables[t];
			assert_in_range(tunable->initial, tunable->min, tunable->max);
		}
	}
	assert_null(cpu_policy_find("harder"));
}

static void test_hard_stays_until_no_preferred_is_online(void **state)
{
	(void)state;
	struct scene scene;
	scene_init(&scene, "0-1", "0-7");
	busy(&scene, 0, 1, 10000);
	assert_int_equal(choose(&scene, "hard").where, CPU_PREFERRED);
	const struct cpu_policy_ops *ops = policy(&scene, "hard");
	assert_true(ops->may_take(&scene.request, &scene.view, 1, scene.values));
	assert_false(ops->may_take(&scene.request, &scene.view, 2, scene.values));
	scene.request.previous_cpu = 5;
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_GOES_HOME);
	scene.cpus[0].is_online = scene.cpus[1].is_online = false;
	assert_int_equal(choose(&scene, "hard").where, CPU_ANYWHERE);
	assert_true(ops->may_take(&scene.request, &scene.view, 2, scene.values));
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_STAYS);
	scene_fini(&scene);
}

static void test_rfc2019_samples_one_cpu_of_each_side(void **state)
{
	(void)state;
	struct scene scene;
	scene_init(&scene, "4-7", "0-7");
	scene.cpus[4].load_bp = 10000;
	scene.cpus[0].load_bp = 100; /* 1 x 10000 > 100 x 100 does not hold */
	assert_int_equal(choose(&scene, "rfc2019").where, CPU_PREFERRED);
	assert_true(choose(&scene, "rfc2019").is_rest_searched);
	scene.cpus[0].load_bp = 99;
	assert_int_equal(choose(&scene, "rfc2019").where, CPU_ANYWHERE);
	/* That all the others are idle changes nothing: its published fault. */
	scene.cpus[4].load_bp = 0;
	busy(&scene, 5, 7, 10000);
	assert_int_equal(choose(&scene, "rfc2019").where, CPU_PREFERRED);
	/* 5:4 leaves from 80 % of the other's load on. */
	const struct cpu_policy_ops *ops = policy(&scene, "rfc2019");
	assert_int_equal(tunables_parse("preferred=5,allowed=4", ops->tunables, ops->nr_tunables,
					"rfc2019", scene.values, NULL),
			 0);
	scene.cpus[4].load_bp = 4000;
	scene.cpus[0].load_bp = 5000;
	assert_int_equal(ops->choose(&scene.request, &scene.view, scene.values).where,
			 CPU_PREFERRED);
	scene.cpus[4].load_bp = 4001;
	assert_int_equal(ops->choose(&scene.request, &scene.view, scene.values).where,
			 CPU_ANYWHERE);
	scene.cpus[0].is_online = false;
	scene.cpus[1].load_bp = 6000;
	assert_int_equal(ops->choose(&scene.request, &scene.view, scene.values).where,
			 CPU_PREFERRED);
	scene_fini(&scene);
}

static void test_dynamic_affinity_has_a_threshold_on_the_group(void **state)
{
	(void)state;
	struct scene scene;
	scene_init(&scene, "0-3", "0-7");
	busy(&scene, 0, 2, 10000);
	assert_string_equal(choose(&scene, "dynamic-affinity").why, "a preferred CPU is idle");
	busy(&scene, 3, 3, 4000); /* 34000 of 40000: 85 %, which still stays */
	assert_int_equal(choose(&scene, "dynamic-affinity").where, CPU_PREFERRED);
	scene.cpus[3].load_bp = 4001;
	assert_int_equal(choose(&scene, "dynamic-affinity").where, CPU_ANYWHERE);
	uint32_t group_bp[NR_CPUS] = { 8500, 8500, 8500, 8500 };
	scene.request.job_load_bp = group_bp;
	assert_int_equal(choose(&scene, "dynamic-affinity").where, CPU_PREFERRED);
	group_bp[0]++;
	assert_int_equal(choose(&scene, "dynamic-affinity").where, CPU_ANYWHERE);
	scene_fini(&scene);
	scene_init(&scene, "0-7", "0-7");
	assert_int_equal(choose(&scene, "dynamic-affinity").where, CPU_ANYWHERE);
	scene_fini(&scene);
}

static void test_soft_spills_to_the_best_and_remembers(void **state)
{
	(void)state;
	struct scene scene;
	scene_init(&scene, "0-3", "0-7");
	busy(&scene, 0, 2, 10000);
	assert_int_equal(choose(&scene, "soft-at").where, CPU_PREFERRED);
	busy(&scene, 3, 3, 10000);
	busy(&scene, 4, 4, 10000);
	scene.cpus[5].is_core_idle = false;
	struct cpu_choice choice = choose(&scene, "soft-at");
	assert_int_equal(choice.where, CPU_EXACTLY);
	assert_int_equal(choice.cpu, 6); /* 5 shares a core with 4, which is busy */
	assert_true(scene.memory.is_spilling);
	scene.cpus[6].stolen_bp = scene.cpus[7].stolen_bp = 100;
	assert_int_equal(choose(&scene, "soft-at").cpu, 5);
	scene.cpus[1].nr_running = 0;
	assert_int_equal(choose(&scene, "soft-at").where, CPU_PREFERRED);
	assert_false(scene.memory.is_spilling);
	scene_fini(&scene);
}

static void test_soft_is_held_below_the_threshold(void **state)
{
	(void)state;
	struct scene scene;
	scene_init(&scene, "0-3", "0-7");
	busy(&scene, 0, 3, 8499);
	struct cpu_choice choice = choose(&scene, "soft-at");
	assert_int_equal(choice.where, CPU_PREFERRED);
	assert_true(choice.is_held);
	assert_int_equal(scene.memory.held_since_ns, 1000);
	const struct cpu_policy_ops *ops = policy(&scene, "soft-at");
	assert_false(ops->may_take(&scene.request, &scene.view, 4, scene.values));
	scene.view.now_ns += SOFT_PATIENCE_NS;
	assert_true(ops->may_take(&scene.request, &scene.view, 4, scene.values));
	assert_int_equal(scene.memory.held_since_ns, 1000); /* asked, not told */
	assert_int_equal(choose(&scene, "soft-at").cpu, 4);
	scene_fini(&scene);
}

static void test_soft_borrower_yields_and_goes_home(void **state)
{
	(void)state;
	struct scene scene;
	scene_init(&scene, "0-3", "0-7");
	busy(&scene, 0, 7, 10000);
	scene.request.previous_cpu = 5;
	const struct cpu_policy_ops *ops = policy(&scene, "soft-at");
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_STAYS);
	scene.cpus[5].nr_owner_waiting = 1;
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_YIELDS);
	scene.cpus[5].nr_owner_waiting = 0;
	scene.cpus[2].nr_running = 0;
	scene.cpus[2].load_bp = 0;
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_STAYS);
	scene.cpus[3].load_bp = 3999; /* below 85 % less a quarter, what it adds itself */
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_GOES_HOME);
	scene.request.previous_cpu = 0;
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_STAYS);
	scene_fini(&scene);
}

static void test_soft_keeps_to_its_distance(void **state)
{
	(void)state;
	static const uint32_t distances[] = { 10, 32, 32, 10 };
	struct scene scene;
	scene_init(&scene, "0-3", "0-7");
	busy(&scene, 0, 3, 10000);
	scene.view.distances = distances;
	const struct cpu_policy_ops *ops = policy(&scene, "soft-at");
	assert_int_equal(tunables_parse("max_distance=31", ops->tunables, ops->nr_tunables,
					"soft-at", scene.values, NULL),
			 0);
	assert_int_equal(ops->choose(&scene.request, &scene.view, scene.values).where,
			 CPU_PREFERRED);
	assert_int_equal(tunables_parse("max_distance=32", ops->tunables, ops->nr_tunables,
					"soft-at", scene.values, NULL),
			 0);
	assert_int_equal(ops->choose(&scene.request, &scene.view, scene.values).cpu, 4);
	scene_fini(&scene);
}

/* Home 0-3, all used, and not a whole core idle there. */
static void crowd(struct scene *scene, uint32_t load_bp)
{
	scene_init(scene, "0-3", "0-7");
	busy(scene, 0, 3, load_bp);
	scene->request.previous_cpu = 0;
}

static void test_soft_asks_what_the_others_leave(void **state)
{
	(void)state;
	uint32_t own_bp[NR_CPUS] = { 0 };
	struct scene scene;
	crowd(&scene, 8000);
	assert_int_equal(choose(&scene, "soft").cpu, 4);
	busy(&scene, 4, 4, 6000);
	scene.cpus[5].is_core_idle = false;
	for (uint32_t cpu = 4; cpu < NR_CPUS; cpu++)
		scene.cpus[cpu].load_bp = 6000;
	assert_int_equal(choose(&scene, "soft").cpu, 6); /* 5 shares its core with 4 */
	for (uint32_t cpu = 4; cpu < NR_CPUS; cpu++)
		scene.cpus[cpu].load_bp = 6001; /* 3/4 of home: theirs */
	assert_true(choose(&scene, "soft").is_held);
	scene.view.now_ns += SOFT_PATIENCE_NS;
	assert_int_equal(choose(&scene, "soft").cpu, 6); /* nobody waits for ever */
	/* What the job itself runs there is not the others'. */
	for (uint32_t cpu = 4; cpu < NR_CPUS; cpu++)
		own_bp[cpu] = 4000;
	scene.request.job_load_bp = own_bp;
	assert_int_equal(choose(&scene, "soft").where, CPU_ANYWHERE);
	scene_fini(&scene);
}

static void test_soft_stays_for_a_whole_core_only(void **state)
{
	(void)state;
	struct scene scene;
	crowd(&scene, 8000);
	scene.cpus[3].nr_running = 0; /* beside 2, which is busy */
	assert_int_equal(choose(&scene, "soft").cpu, 4);
	busy(&scene, 4, 7, 100);
	scene.cpus[5].nr_running = 0; /* no better there */
	assert_int_equal(choose(&scene, "soft").where, CPU_ANYWHERE);
	scene.cpus[2].nr_running = 0;
	scene.cpus[2].is_core_idle = scene.cpus[3].is_core_idle = true;
	assert_int_equal(choose(&scene, "soft").cpu, 2);
	scene_fini(&scene);
}

static void test_soft_lets_tasks_that_talk_stay_together(void **state)
{
	(void)state;
	struct scene scene;
	crowd(&scene, 8000);
	scene.request.waker_cpu = 5;
	assert_int_equal(choose(&scene, "soft").where, CPU_ANYWHERE);
	scene.request.waker_cpu = 1;
	assert_int_equal(choose(&scene, "soft").where, CPU_EXACTLY);
	scene.request.previous_cpu = 6; /* away: there until home is the less busy */
	assert_int_equal(choose(&scene, "soft").where, CPU_ANYWHERE);
	const struct cpu_policy_ops *ops = policy(&scene, "soft");
	assert_true(ops->may_take(&scene.request, &scene.view, 4, scene.values));
	scene.cpus[4].nr_owner_waiting = 1;
	assert_false(ops->may_take(&scene.request, &scene.view, 4, scene.values));
	uint32_t own_bp[NR_CPUS] = { 0, 0, 0, 0, 8100, 8100, 8100, 8100 };
	for (uint32_t cpu = 4; cpu < NR_CPUS; cpu++)
		scene.cpus[cpu].load_bp = 8100;
	scene.request.job_load_bp = own_bp;
	assert_int_equal(choose(&scene, "soft").where, CPU_PREFERRED);
	scene_fini(&scene);
}

static void test_soft_is_called_home_to_a_whole_core(void **state)
{
	(void)state;
	struct scene scene;
	crowd(&scene, 8000);
	scene.request.previous_cpu = 6;
	const struct cpu_policy_ops *ops = policy(&scene, "soft");
	scene.cpus[3].nr_running = 0;
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_STAYS);
	scene.cpus[2].nr_running = 0;
	scene.cpus[2].is_core_idle = scene.cpus[3].is_core_idle = true;
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_GOES_HOME);
	scene.cpus[6].nr_owner_waiting = 1;
	assert_int_equal(ops->tick(&scene.request, &scene.view, scene.values), CPU_YIELDS);
	scene_fini(&scene);
}

static void test_soft_goes_nowhere_that_is_too_far(void **state)
{
	(void)state;
	struct scene scene;
	crowd(&scene, 8000);
	const struct cpu_policy_ops *ops = policy(&scene, "soft");
	assert_int_equal(tunables_parse("max_distance=19", ops->tunables, ops->nr_tunables, "soft",
					scene.values, NULL),
			 0);
	scene.request.waker_cpu = 5;
	struct cpu_choice answer = ops->choose(&scene.request, &scene.view, scene.values);
	assert_int_equal(answer.where, CPU_PREFERRED);
	assert_false(ops->may_take(&scene.request, &scene.view, 4, scene.values));
	scene_fini(&scene);
}

/* Idle for a moment but half eaten by interrupts: such CPUs trapped a job (layered). */
static void test_soft_does_not_count_on_stolen_cpus(void **state)
{
	(void)state;
	static const char *const names[] = { "soft", "soft-at" };
	for (uint32_t i = 0; i < 2; i++) {
		struct scene scene;
		crowd(&scene, 9000);
		scene.cpus[2].nr_running = scene.cpus[3].nr_running = 0;
		scene.cpus[2].is_core_idle = scene.cpus[3].is_core_idle = true;
		scene.cpus[2].stolen_bp = scene.cpus[3].stolen_bp = 5000;
		assert_int_equal(choose(&scene, names[i]).cpu, 4);
		scene.cpus[3].stolen_bp = 4999;
		uint32_t cpu = choose(&scene, names[i]).cpu;
		assert_int_equal(cpu, i == 0 ? 3 : CPU_POLICY_NONE);
		scene_fini(&scene);
	}
}

static void scramble(struct random *random, struct scene *scene)
{
	static const char *const lists[] = { "0-3", "4-7", "2", "0-7", "1,5", "6-7" };
	scene_init(scene, lists[random_below(random, 6)], lists[random_below(random, 6)]);
	assert_int_equal(set_or(&scene->allowed, &scene->preferred), 0);
	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++) {
		struct cpu_state *state = &scene->cpus[cpu];
		state->nr_running = (uint32_t)random_below(random, 3);
		state->nr_owner_waiting = state->nr_running ? (uint32_t)random_below(random, 2) : 0;
		state->load_bp = (uint32_t)random_below(random, 10001);
		state->stolen_bp = (uint32_t)random_below(random, 10001);
		state->is_online = random_below(random, 4) > 0;
	}
	scene->memory.is_spilling = random_below(random, 2);
	scene->request.previous_cpu = (uint32_t)random_below(random, NR_CPUS + 1);
}

/* Whatever the state: what is answered may be done, and the same question has the same answer. */
static void test_no_policy_leaves_the_masks(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, 7);
	for (uint32_t i = 0; i < NR_RANDOM; i++) {
		struct scene scene;
		scramble(&random, &scene);
		for (size_t p = 0; cpu_policies[p]; p++) {
			struct cpu_memory before = scene.memory;
			struct cpu_choice first = choose(&scene, cpu_policies[p]->name);
			scene.memory = before;
			struct cpu_choice second = choose(&scene, cpu_policies[p]->name);
			assert_int_equal(first.where, second.where);
			assert_int_equal(first.cpu, second.cpu);
			if (first.where == CPU_EXACTLY)
				assert_true(cpu_is_usable(&scene.request, &scene.view, first.cpu));
			if (first.where == CPU_PREFERRED)
				assert_true(cpu_has_home(&scene.request, &scene.view));
		}
		scene_fini(&scene);
	}
}

/* The CPU that soft borrows against a search that knows nothing of its order of looking. */
static void test_soft_never_borrows_what_is_not_free(void **state)
{
	(void)state;
	struct random random;
	random_init(&random, 11);
	uint32_t nr_spilled = 0;
	for (uint32_t i = 0; i < NR_RANDOM; i++) {
		struct scene scene;
		scramble(&random, &scene);
		const char *name = i % 2 ? "soft" : "soft-at";
		struct cpu_choice choice = choose(&scene, name);
		bool is_abroad = choice.where == CPU_EXACTLY &&
				 !set_has(&scene.preferred, choice.cpu);
		for (uint32_t cpu = 0; choice.where == CPU_EXACTLY && cpu < NR_CPUS; cpu++) {
			const struct cpu_state *seen = &scene.cpus[cpu];
			bool is_shared = i % 2 && !seen->is_core_idle;
			if (cpu_is_home(&scene.request, &scene.view, cpu) && is_abroad)
				assert_true(is_shared || seen->nr_running > 0 ||
					    seen->stolen_bp >= 5000);
		}
		if (choice.where == CPU_EXACTLY) {
			assert_int_equal(scene.cpus[choice.cpu].nr_running, 0);
			assert_true(scene.cpus[choice.cpu].stolen_bp < SOFT_HALF_STOLEN_BP);
			nr_spilled += is_abroad;
		}
		scene_fini(&scene);
	}
	assert_true(nr_spilled > 1000);
}
