/* SPDX-License-Identifier: MIT */
/*
 * Process 1 of the lab's guest: makes the guest ready, runs one program, tells the launcher what
 * came of it, and powers off. See agent.h for the map and lab/protocol.h for what is said.
 *
 *     mount, find the port          LAB_READY
 *     modules, the host's root, settings
 *     first sample                  LAB_SAMPLE 0
 *     the program                   LAB_STARTED .. LAB_STDOUT LAB_STDERR LAB_SAMPLE 1 ..
 *     last sample, end what is left LAB_SAMPLE 2, LAB_REPORT, LAB_EXITED, LAB_DONE
 *     after LAB_BYE                 power off
 *
 * It must never end: the kernel panics when process 1 does.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/guest/agent.h"

/* Its pages must stay where they are, and it must be the last to go. */
static void protect_self(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "-1000", 5) < 0)
		port_say(LAB_MESSAGE, "oom_score_adj: %m");
	if (fd >= 0)
		close(fd);
	mlockall(MCL_CURRENT | MCL_FUTURE);
	signal(SIGPIPE, SIG_IGN);
	sigset_t child;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
}

static void say_ready(void)
{
	struct {
		struct lab_ready head;
		char release[sizeof(((struct utsname *)NULL)->release)];
	} payload = { .head.guest_ns = monotonic_ns() };
	struct utsname name;
	uname(&name);
	size_t length = strlen(name.release);
	memcpy(payload.release, name.release, length);
	port_send(LAB_READY, &payload, sizeof(payload.head) + length);
}

/* A shell whose child was killed passes that on as 137. */
static bool was_killed(uint32_t status)
{
	int wait_status = (int)status;
	return (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGKILL) ||
	       (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 128 + SIGKILL);
}

static void run(const struct agent_conf *conf)
{
	if (conf->adopt)
		symbols_say();
	sample_take(0);
	uint64_t oom_kills = sample_oom_kills();
	if (!program_start(conf))
		return;
	loop_run(conf);
	sample_take(2);
	program.exited.was_oom_killed = sample_oom_kills() > oom_kills &&
					was_killed(program.exited.status);
	program_kill_rest();
	loop_drain();
	program_send_report(conf);
	if (conf->share_path)
		sync();
	port_send(LAB_EXITED, &program.exited, sizeof(program.exited));
}

int main(void)
{
	struct agent_conf conf;
	port.fd = -1;
	bool is_mounted = root_mount_kernel();
	const char *wrong = conf_read("/lab.conf", &conf);
	port.is_icount = !wrong && conf.is_icount;
	if (!is_mounted || !port_open())
		port_say(LAB_FAILED, "%s: the guest has no such port", LAB_PORT_NAME);
	else
		say_ready();
	if (wrong)
		port_say(LAB_FAILED, "/lab.conf: %s", wrong);
	else if (port.fd >= 0) {
		protect_self();
		if (root_mount(&conf) && root_apply(&conf)) {
			sample_open();
			run(&conf);
		}
	}
	port_finish();
}
