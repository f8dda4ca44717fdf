/* SPDX-License-Identifier: MIT */
/* The doctor's trials under a seccomp filter, its facts, and what it makes of nothing at all. */
#include "test.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/doctor.h"

static char folder[64];

static void make_root(struct root *root)
{
	PRINTBUF(path);
	strcpy(folder, "/tmp/berth-doctor-XXXXXX");
	assert_non_null(mkdtemp(folder));
	prt_printf(&path, "mkdir -p %s/proc/self %s/proc/sys/kernel %s/boot", folder, folder,
		   folder);
	assert_int_equal(system(printbuf_str(&path)), 0);
	printbuf_reset(&path);
	prt_printf(&path, "%s/proc/cpuinfo", folder);
	FILE *file = fopen(printbuf_str(&path), "w");
	assert_non_null(file);
	fputs("processor : 0\n", file);
	fclose(file);
	assert_int_equal(root_open(folder, root, NULL), 0);
}

static void put(const char *name, const char *text)
{
	PRINTBUF(path);
	prt_printf(&path, "%s/%s", folder, name);
	FILE *file = fopen(printbuf_str(&path), "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void remove_root(struct root *root)
{
	PRINTBUF(command);
	root_fini(root);
	prt_printf(&command, "rm -rf %s", folder);
	assert_int_equal(system(printbuf_str(&command)), 0);
}

/* In a child of its own: a filter cannot be taken off again. Kills for move_pages, refuses
 * perf_event_open. */
static int try_under_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_move_pages, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(code), code };
	struct doctor doctor = { 0 };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, 2, &program))
		return 77;
	doctor_try(&doctor);
	if (doctor.trials[TRY_MOVE] != TRIAL_KILLED ||
	    doctor.trials[TRY_MOVE_OTHER] != TRIAL_KILLED)
		return 1;
	if (doctor.trials[TRY_PERF] != -ENOSYS || doctor.trials[TRY_AFFINITY] != 0)
		return 2;
	return doctor.trials[TRY_NR_TRIALS - 1] == TRIAL_NOT_TRIED ? 3 : 0;
}

static void test_filter_kills(void **state)
{
	int status = 0;
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(try_under_filter());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_trials_change_nothing(void **state)
{
	struct doctor doctor = { 0 };
	unsigned char before[8192], after[8192];
	memset(before, 0, sizeof(before));
	memset(after, 0, sizeof(after));
	long size = syscall(SYS_sched_getaffinity, 0, sizeof(before), before);
	assert_true(size > 0);
	doctor_try(&doctor);
	assert_int_equal(syscall(SYS_sched_getaffinity, 0, sizeof(after), after), size);
	assert_memory_equal(before, after, sizeof(before));
	for (int i = 0; i < TRY_NR_TRIALS; i++)
		assert_int_not_equal(doctor.trials[i], TRIAL_NOT_TRIED);
	assert_int_not_equal(doctor.other, getpid());
}

static void test_config(void **state)
{
	struct doctor doctor = { .config = (char *)"# CONFIG_A is not set\nCONFIG_B=y\nCONFIG_C=m\n"
						   "XCONFIG_D=y\nCONFIG_E_F=y\nCONFIG_" };
	assert_int_equal(doctor_config(&doctor, "A"), CONFIG_NOT_SET);
	assert_int_equal(doctor_config(&doctor, "B"), CONFIG_BUILT_IN);
	assert_int_equal(doctor_config(&doctor, "C"), CONFIG_MODULE);
	assert_int_equal(doctor_config(&doctor, "D"), CONFIG_NOT_SET);
	assert_int_equal(doctor_config(&doctor, "E"), CONFIG_NOT_SET);
	assert_int_equal(doctor_config(&doctor, "E_F"), CONFIG_BUILT_IN);
	doctor.config = NULL;
	assert_int_equal(doctor_config(&doctor, "B"), CONFIG_UNKNOWN);
}

static void test_facts(void **state)
{
	struct root root;
	make_root(&root);
	put("proc/sys/kernel/osrelease", "6.12.117+deb13-amd64\n");
	put("boot/config-6.12.117+deb13-amd64", "CONFIG_NUMA=y\n");
	put("proc/self/status", "Name:\tx\nCapEff:\t0000000000800000\nSeccomp:\t2\n");
	put("proc/sys/kernel/choice", "always [madvise] never\n");
	struct doctor doctor;
	assert_int_equal(doctor_init(&doctor, &root, folder, NULL), 0);
	assert_int_equal(doctor.version, 6012);
	assert_string_equal(doctor.config_path, "boot/config-6.12.117+deb13-amd64");
	assert_int_equal(doctor_config(&doctor, "NUMA"), CONFIG_BUILT_IN);
	assert_true(doctor_can(&doctor, 23));
	assert_false(doctor_can(&doctor, 21));
	assert_int_equal(doctor.seccomp, 2);
	for (int i = 0; i < TRY_NR_TRIALS; i++)
		assert_int_equal(doctor.trials[i], TRIAL_NOT_TRIED);
	PRINTBUF(choice);
	doctor_read_choice(&doctor, "proc/sys/kernel/choice", &choice);
	assert_string_equal(printbuf_str(&choice), "madvise");
	assert_int_equal(doctor_read_switch(&doctor, "proc/sys/kernel/none"), -1);
	doctor_fini(&doctor);
	remove_root(&root);
}

/* Only what is needed, missing, and of a group that is asked for, is lacking. */
static void test_lacks(void **state)
{
	struct doctor doctor = { 0 };
	doctor.spare.summary = PRINTBUF_HEAP;
	struct doctor_finding *needed = doctor_add(&doctor, DOCTOR_SEE, "a", true);
	struct doctor_finding *other = doctor_add(&doctor, DOCTOR_CPUS, "b", false);
	assert_false(doctor_lacks(&doctor, ~0U));
	doctor_note(&doctor, other, DOCTOR_MISSING, NULL, "not needed");
	assert_false(doctor_lacks(&doctor, ~0U));
	doctor_note(&doctor, needed, DOCTOR_LIMITED, NULL, "in part");
	assert_false(doctor_lacks(&doctor, ~0U));
	doctor_note(&doctor, needed, DOCTOR_MISSING, "get it", "gone");
	doctor_note(&doctor, needed, DOCTOR_OFF, NULL, "a word never gets better");
	assert_int_equal(needed->word, DOCTOR_MISSING);
	assert_int_equal(needed->nr_notes, 3);
	assert_true(doctor_lacks(&doctor, 1U << DOCTOR_SEE));
	assert_false(doctor_lacks(&doctor, 1U << DOCTOR_CPUS));
	doctor_fini(&doctor);
}
