/* SPDX-License-Identifier: MIT */
/*
 * What `berth lab compare` is going to run: for each kernel the policies as given, then the
 * yardsticks that were not asked for.
 *
 *     -P none -P kernel --kernel 6.12 --kernel 7.3
 *       case 0  none         6.12        case 4  none         7.3
 *            1  kernel       6.12             5  kernel       7.3
 *            2  static-best  6.12  added      6  static-best  7.3  added
 *            3  all-fast     6.12  added      7  all-fast     7.3  added
 */
#include <stdlib.h>
#include <string.h>

#include "cli/lab_compare.h"
#include "cli/options.h"

#define CASES_MAX 1000

static const char *const yardsticks[] = { "static-best", "all-fast" };

static bool is_given(const struct option_list *policies, const char *name)
{
	for (size_t i = 0; i < policies->nr; i++)
		if (strcmp(policies->items[i], name) == 0)
			return true;
	return false;
}

/* Only a workload of ours that is one program knows LAB_PLACE. */
static bool may_place(const char *program)
{
	PRINTBUF(name);
	char *path = NULL;
	if (strchr(program, '/'))
		return false;
	prt_printf(&name, "workloads/%s", program);
	int error = lab_file(printbuf_str(&name), &path, NULL);
	free(path);
	return error == 0;
}

static int add_case(struct compare_plan *plan, const char *policy, const char *kernel,
		    bool is_yardstick, struct printbuf *err)
{
	struct compare *compare = &plan->compare;
	struct compare_case *entry = &compare->cases[compare->nr_cases];
	struct compare_lab *lab = &plan->labs[compare->nr_cases];
	const char *series = strchr(kernel, '/') ? NULL : kernel;
	*entry = (struct compare_case){
		.policy = policy, .kernel = kernel, .is_yardstick = is_yardstick, .typical = -1
	};
	int error = lab_policy_parse_for(policy, plan->machine, series, plan->time, &lab->policy,
					 err);
	if (error)
		return error;
	compare->nr_cases++;
	return lab->policy.is_all_fast ? lab_all_fast(plan->machine, &lab->grown, err) : 0;
}

static int add_cases(struct compare_plan *plan, const struct option_list *policies,
		     const char *kernel, bool has_yardsticks, struct printbuf *err)
{
	int error = 0;
	for (size_t i = 0; i < policies->nr && !error; i++)
		error = add_case(plan, policies->items[i], kernel, false, err);
	for (size_t i = 0; i < ARRAY_SIZE(yardsticks) && has_yardsticks && !error; i++)
		if (!is_given(policies, yardsticks[i]) && (i != 0 || may_place(plan->program[0])))
			error = add_case(plan, yardsticks[i], kernel, true, err);
	return error;
}

int compare_plan_init(struct compare_plan *plan, const struct option_list *policies,
		      const struct option_list *kernels, bool has_yardsticks, struct printbuf *err)
{
	static const char *standard[] = { LAB_KERNEL_DEFAULT };
	struct option_list named = kernels->nr ? *kernels : (struct option_list){ standard, 1 };
	size_t per_kernel = policies->nr + ARRAY_SIZE(yardsticks);
	if (policies->nr > CASES_MAX || named.nr > CASES_MAX || per_kernel * named.nr > CASES_MAX)
		return error_set(err, -EINVAL, "more than %d policies and kernels; name fewer",
				 CASES_MAX);
	plan->notes = PRINTBUF_HEAP;
	plan->kernels = PRINTBUF_HEAP;
	plan->compare.nr_tiers = plan->machine->nr_tiers;
	plan->compare.cases = calloc(per_kernel * named.nr, sizeof(*plan->compare.cases));
	plan->labs = calloc(per_kernel * named.nr, sizeof(*plan->labs));
	if (!plan->compare.cases || !plan->labs)
		return error_set(err, -ENOMEM, "out of memory");
	int error = 0;
	for (size_t i = 0; i < named.nr && !error; i++)
		error = add_cases(plan, policies, named.items[i], has_yardsticks, err);
	if (!error && has_yardsticks && !may_place(plan->program[0]) &&
	    !is_given(policies, yardsticks[0]))
		prt_printf(&plan->notes,
			   "%s is no workload of berth that places its memory by hand, so there "
			   "is no static-best; -P static-best runs one that heeds LAB_PLACE\n",
			   plan->program[0]);
	return error;
}

void compare_plan_fini(struct compare_plan *plan)
{
	for (size_t i = 0; plan->labs && i < plan->compare.nr_cases; i++) {
		lab_policy_fini(&plan->labs[i].policy);
		machine_free(plan->labs[i].grown);
	}
	free(plan->labs);
	free(plan->qemu_version);
	printbuf_fini(&plan->notes);
	printbuf_fini(&plan->kernels);
	compare_fini(&plan->compare);
}

void compare_plan_to_text(struct printbuf *out, const struct compare_plan *plan)
{
	const struct compare *compare = &plan->compare;
	for (size_t i = 0; i < compare->nr_cases; i++) {
		const struct compare_lab *lab = &plan->labs[i];
		const struct compare_case *entry = &compare->cases[i];
		prt_str(out, "policy ");
		prt_safe(out, entry->policy, strlen(entry->policy));
		prt_str(out, "\nkernel ");
		prt_safe(out, entry->kernel, strlen(entry->kernel));
		prt_str(out, "\nmachine ");
		machine_to_line(out, lab->grown ? lab->grown : plan->machine);
		prt_char(out, '\n');
		lab_policy_settings_to_text(out, &lab->policy);
		prt_char(out, '\n');
	}
	prt_printf(out, "%llu run%s in all\n",
		   (unsigned long long)(compare->nr_cases * plan->repeat),
		   compare->nr_cases * plan->repeat == 1 ? "" : "s");
}
