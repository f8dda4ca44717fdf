/* SPDX-License-Identifier: MIT */
/* The kernel's calls about nodes, of our own memory; skipped where a filter refuses them. */
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/numa.h"

#define PAGE_BYTES 4096

static char *make_page(void)
{
	char *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	assert_true(page != MAP_FAILED);
	return page;
}

static void test_where_pages_are(void **state)
{
	char *touched = make_page(), *untouched = make_page(), *unmapped = make_page();
	void *pages[] = { touched, untouched, unmapped };
	int nodes[] = { -1, -1, -1 };
	uint32_t node;
	(void)state;
	*touched = 1;
	munmap(unmapped, PAGE_BYTES);
	int error = numa_where(0, 3, pages, nodes);
	if (error == -ENOSYS || error == -EPERM)
		skip();
	assert_int_equal(error, 0);
	assert_true(nodes[0] >= 0);
	assert_true(nodes[1] == -ENOENT || nodes[1] == -EFAULT);
	assert_true(nodes[2] == -ENOENT || nodes[2] == -EFAULT);
	assert_int_equal(numa_node_of(touched, &node), 0);
	assert_int_equal(node, nodes[0]);
	/* To where it is: moves nothing, and says so. */
	int to = nodes[0], after = -1;
	assert_int_equal(numa_move(0, 1, pages, &to, &after), 0);
	assert_int_equal(after, to);
	to = 1000000; /* no such node */
	assert_true(numa_move(0, 1, pages, &to, &after) < 0);
	munmap(touched, PAGE_BYTES);
	munmap(untouched, PAGE_BYTES);
}

static void test_a_process_that_has_ended(void **state)
{
	char here;
	void *pages[] = { &here };
	int node;
	(void)state;
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
	int error = numa_where(child, 1, pages, &node);
	if (error == -ENOSYS || error == -EPERM)
		skip();
	assert_int_equal(error, -ESRCH);
}

/* In a child: policies stay with who sets them. */
static void test_policies_are_read_back(void **state)
{
	struct set allowed = SET_EMPTY;
	(void)state;
	int error = numa_allowed(&allowed);
	if (error == -ENOSYS || error == -EPERM)
		skip();
	assert_int_equal(error, 0);
	assert_false(set_is_empty(&allowed));
	pid_t child = fork();
	if (child == 0) {
		struct set one = SET_EMPTY, nodes = SET_EMPTY, none = SET_EMPTY;
		enum numa_policy policy = NUMA_DEFAULT;
		if (set_add(&one, (uint32_t)set_last(&allowed)))
			_exit(1);
		if (numa_set_policy(NUMA_BIND, &one) || numa_get_policy(&policy, &nodes))
			_exit(2);
		if (policy != NUMA_BIND || set_last(&nodes) != set_last(&one))
			_exit(3);
		if (numa_set_policy(NUMA_BIND, &none) != -EINVAL)
			_exit(4);
		_exit(0);
	}
	int status = -1;
	waitpid(child, &status, 0);
	set_fini(&allowed);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}
