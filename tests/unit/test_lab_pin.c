/* SPDX-License-Identifier: MIT */
/* CPUs of the guest on CPUs of this machine: threads are found by QEMU's names for them. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "base/error.h"
#include "lab/launcher/pin.h"

static void test_vcpu_threads_are_known_by_name(void **state)
{
	static const char *const others[] = {
		"",	      "CPU ",	      "CPU /TCG",   "CPU x/TCG", "CPU 0/KVM",
		"CPU 0/TCGx", "ALL CPUs/TCG", "CPU -1/TCG", "call_rcu",	 "CPU 99999999999/TCG"
	};

	assert_int_equal(lab_pin_vcpu("CPU 0/TCG"), 0);
	assert_int_equal(lab_pin_vcpu("CPU 12/TCG"), 12);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(lab_pin_vcpu(others[i]), -1);
}

struct stand_in { /* of a thread of QEMU */
	pthread_t thread;
	const char *name;
	pthread_barrier_t *begun, *looked;
	cpu_set_t mask;
};

static void *stand_in(void *data)
{
	struct stand_in *self = data;

	pthread_setname_np(pthread_self(), self->name);
	pthread_barrier_wait(self->begun);
	pthread_barrier_wait(self->looked);
	sched_getaffinity(0, sizeof(self->mask), &self->mask);
	return NULL;
}

static void test_threads_are_pinned(void **state)
{
	struct stand_in all[] = { { .name = "CPU 0/TCG" }, { .name = "call_rcu" } };
	pthread_barrier_t begun, looked;
	struct set cpus = SET_EMPTY;
	cpu_set_t before;
	PRINTBUF(err);

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	uint32_t cpu = 0;
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	assert_int_equal(set_add(&cpus, cpu), 0);
	pthread_barrier_init(&begun, NULL, 3);
	pthread_barrier_init(&looked, NULL, 3);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		all[i].begun = &begun;
		all[i].looked = &looked;
		assert_int_equal(pthread_create(&all[i].thread, NULL, stand_in, &all[i]), 0);
	}
	pthread_barrier_wait(&begun);
	int error = lab_pin(getpid(), &cpus, 1, &err);
	int missing = lab_pin(getpid(), &cpus, 2, &err);
	pthread_barrier_wait(&looked);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		pthread_join(all[i].thread, NULL);
	sched_setscheduler(0, SCHED_OTHER,
			   &(struct sched_param){ 0 }); /* this thread was one of them */
	assert_int_equal(error, 0);
	assert_int_equal(missing, -ENOENT);
	assert_string_equal(printbuf_str(&err), "QEMU shows threads of 1 of the guest's 2 CPUs");
	assert_int_equal(CPU_COUNT(&all[0].mask), 1);
	assert_true(CPU_ISSET(cpu, &all[0].mask));
	assert_true(CPU_EQUAL(&all[1].mask, &before));
	set_fini(&cpus);
}

static void test_what_cannot_be_pinned_is_refused(void **state)
{
	struct set cpus = SET_EMPTY;
	PRINTBUF(err);

	assert_int_equal(set_parse("0", &cpus), 0);
	assert_int_equal(lab_pin_check(&cpus, 2, LAB_TIME_DELAY, &err), -EINVAL);
	assert_int_equal(lab_pin_check(&cpus, 1, LAB_TIME_ICOUNT, &err), -EINVAL);
	set_fini(&cpus);
	assert_int_equal(set_parse("8191", &cpus), 0);
	assert_int_equal(lab_pin_check(&cpus, 1, LAB_TIME_DELAY, &err), -EINVAL);
	set_fini(&cpus);
}
