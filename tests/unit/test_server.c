/* SPDX-License-Identifier: MIT */
/*
 * The socket that answers lines, and those who do not behave on it: garbage, lines without an end,
 * clients that stall, that do not fetch their answer, that come by the thousand, and another user.
 */
#include "test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "linux/server.h"

static char folder[64], path[96];
static struct server server;
static uint64_t now_ns;
static uint32_t nr_asked;
static struct server_peer last_peer;
static size_t answer_bytes;

static void answer(void *context, const struct server_peer *peer, char *line, struct printbuf *out)
{
	(void)context;
	nr_asked++;
	last_peer = *peer;
	prt_str(out, line);
	prt_chars(out, 'x', answer_bytes);
}

static const struct server_ops ops = { answer };

static void begin(void)
{
	PRINTBUF(err);
	strcpy(folder, "/tmp/berth-server-XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/socket", folder);
	assert_int_equal(server_open(&server, path, &ops, NULL, &err), 0);
	now_ns = NS_PER_S;
	nr_asked = 0;
	answer_bytes = 0;
}

static void end(void)
{
	server_close(&server);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(rmdir(folder), 0);
}

static int call(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	strcpy(address.sun_path, path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void turn(void)
{
	struct pollfd fds[SERVER_MAX_FDS];
	for (int i = 0; i < 4; i++) {
		uint32_t nr = server_fds(&server, now_ns, fds);
		poll(fds, nr, 0);
		server_turn(&server, fds, nr, now_ns);
	}
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

/* What has come; NULL: hung up. */
static const char *hear(int fd)
{
	static char text[256];
	ssize_t nr = recv(fd, text, sizeof(text) - 1, 0);
	if (nr == 0 || (nr < 0 && errno == ECONNRESET))
		return NULL;
	text[nr < 0 ? 0 : nr] = '\0';
	return text;
}

static uint32_t nr_clients(void)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < SERVER_MAX_CLIENTS; i++)
		nr += server.clients[i].fd >= 0;
	return nr;
}

static void test_server_answers_each_line(void **state)
{
	(void)state;
	begin();
	int fd = call();
	turn();
	say(fd, "one\ntwo\nthr");
	turn();
	assert_string_equal(hear(fd), "one\ntwo\n");
	say(fd, "ee\n");
	turn();
	assert_string_equal(hear(fd), "three\n");
	assert_int_equal(last_peer.uid, geteuid());
	assert_int_equal(last_peer.gid, getegid());
	assert_true(server_peer_is_in(&last_peer, getegid()));
	assert_false(server_peer_is_in(&last_peer, 4242424));
	close(fd);
	turn();
	assert_int_equal(nr_clients(), 0);
	assert_int_equal(server.nr_hung_up, 0);
	end();
}

static void test_server_ends_garbage(void **state)
{
	char text[SERVER_MAX_LINE + 100];
	(void)state;
	begin();
	int fd = call();
	turn();
	memset(text, 'a', sizeof(text));
	send(fd, text, sizeof(text), MSG_NOSIGNAL);
	turn();
	assert_null(hear(fd));
	close(fd);
	fd = call();
	turn();
	assert_int_equal(send(fd, "a\0b\n", 4, MSG_NOSIGNAL), 4);
	turn();
	assert_null(hear(fd));
	close(fd);
	assert_int_equal(nr_asked, 0);
	assert_int_equal(server.nr_hung_up, 2);
	assert_int_equal(nr_clients(), 0);
	end();
}

static void test_server_has_no_patience_for_ever(void **state)
{
	(void)state;
	begin();
	int stalls = call(), asks = call();
	turn();
	say(stalls, "half a li");
	for (int i = 0; i < 3; i++) {
		turn();
		assert_in_range(server_due_ns(&server, now_ns), now_ns,
				now_ns + SERVER_PATIENCE_NS);
		now_ns += SERVER_PATIENCE_NS / 2;
		say(asks, "still there\n");
	}
	turn();
	assert_null(hear(stalls));
	assert_non_null(hear(asks));
	assert_int_equal(nr_clients(), 1);
	close(stalls);
	close(asks);
	turn();
	assert_int_equal(server_due_ns(&server, now_ns), UINT64_MAX);
	end();
}

/* The answer does not fit into the socket and nobody reads it: nothing blocks. */
static void test_server_keeps_what_is_not_fetched(void **state)
{
	(void)state;
	begin();
	answer_bytes = 4 * MIB;
	int fd = call();
	turn();
	say(fd, "much\n");
	turn();
	say(fd, "more\n"); /* waits for the first answer to be gone */
	turn();
	assert_int_equal(nr_asked, 1);
	assert_int_equal(nr_clients(), 1);
	now_ns = server_due_ns(&server, now_ns);
	turn();
	assert_int_equal(nr_clients(), 0);
	close(fd);
	answer_bytes = SERVER_MAX_ANSWER;
	fd = call();
	turn();
	say(fd, "too much\n");
	turn();
	assert_null(hear(fd));
	close(fd);
	end();
}

static void test_server_takes_no_more_than_fit(void **state)
{
	int fds[100];
	(void)state;
	begin();
	for (int i = 0; i < 100; i++) {
		fds[i] = call();
		assert_true(fds[i] >= 0);
	}
	for (int i = 0; i < 4; i++)
		turn();
	uint32_t most = geteuid() == 0 ? SERVER_MAX_CLIENTS : SERVER_MAX_OF_USER;
	assert_int_equal(nr_clients(), most);
	assert_int_equal(server.nr_hung_up, 100 - most);
	say(fds[0], "hello\n");
	turn();
	assert_string_equal(hear(fds[0]), "hello\n");
	for (int i = 0; i < 100; i++)
		close(fds[i]);
	turn();
	assert_int_equal(nr_clients(), 0);
	end();
}

/* Thousands one after the other: all are let go, and nothing stays open. */
static void test_server_survives_thousands(void **state)
{
	(void)state;
	begin();
	for (int i = 0; i < 5000; i++) {
		int fd = call();
		if (fd >= 0) {
			say(fd, "hello\n");
			close(fd);
		}
		if (i % 16 == 0)
			turn();
		now_ns += NS_PER_MS;
	}
	for (int i = 0; i < 10; i++)
		turn();
	assert_int_equal(nr_clients(), 0);
	end();
}

#define STRANGERS 4
#define CALLS	  12 /* of each: more than one user may have, and all together more than fit */

/* Calls, asks a hundred times each, and holds the line until it is killed. */
static void be_stranger(uid_t uid, int told)
{
	char text[] = "hello\n";
	if (setgid(uid) < 0 || setuid(uid) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		_exit(1);
	for (int i = 0; i < CALLS; i++) {
		int fd = call();
		for (int j = 0; fd >= 0 && j < 100; j++)
			send(fd, text, strlen(text), MSG_NOSIGNAL);
	}
	if (write(told, "x", 1) == 1)
		pause();
	_exit(0);
}

static pid_t stranger(uid_t uid)
{
	char byte;
	int told[2];
	assert_int_equal(pipe(told), 0);
	pid_t pid = fork();
	if (pid == 0)
		be_stranger(uid, told[1]);
	close(told[1]);
	assert_int_equal(read(told[0], &byte, 1), 1);
	close(told[0]);
	return pid;
}

static uint32_t nr_clients_of(uid_t uid)
{
	uint32_t nr = 0;
	for (uint32_t i = 0; i < SERVER_MAX_CLIENTS; i++)
		nr += server.clients[i].fd >= 0 && server.clients[i].peer.uid == uid;
	return nr;
}

/* Other users fill what each gets, and then what all of them get, and hold it: root still has a
 * place, and they are answered no more than their share. */
static void test_server_leaves_room_for_root(void **state)
{
	static const uint32_t nr_wanted[STRANGERS] = { SERVER_MAX_OF_USER, SERVER_MAX_OF_USER,
						       SERVER_MAX_OF_USER, 0 };
	pid_t pids[STRANGERS];
	(void)state;
	if (geteuid() != 0)
		skip();
	begin();
	for (uid_t i = 0; i < STRANGERS; i++)
		pids[i] = stranger(65534 - i);
	for (int i = 0; i < 8; i++)
		turn();
	for (uid_t i = 0; i < STRANGERS; i++)
		assert_int_equal(nr_clients_of(65534 - i), nr_wanted[i]);
	assert_int_equal(nr_asked, SERVER_ANSWERS_PER_S);
	int fd = call();
	for (int i = 0; i < 8; i++)
		turn();
	say(fd, "root\n");
	turn();
	assert_string_equal(hear(fd), "root\n");
	assert_int_equal(last_peer.uid, 0);
	close(fd);
	for (int i = 0; i < STRANGERS; i++) {
		kill(pids[i], SIGKILL);
		assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
	}
	end();
}

/* One that was killed leaves its socket: the next takes it; a living one is not pushed aside. */
static void test_server_replaces_an_abandoned_socket(void **state)
{
	struct server second;
	PRINTBUF(err);
	(void)state;
	begin();
	assert_int_equal(server_open(&second, path, &ops, NULL, &err), -EADDRINUSE);
	assert_non_null(strstr(printbuf_str(&err), path));
	close(server.fd);
	server.fd = -1;
	free(server.path);
	server.path = NULL;
	assert_int_equal(server_open(&server, path, &ops, NULL, &err), 0);
	end();
}

/* Every descriptor that 64 allow: how many there were is in ret_nr. */
static void take_descriptors(int taken[64], int *ret_nr, struct rlimit *ret_before)
{
	struct rlimit few;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
	few = *ret_before;
	few.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	int nr = 0, fd;
	while (nr < 64 && (fd = dup(server.fd)) >= 0)
		taken[nr++] = fd;
	*ret_nr = nr;
}

static void give_descriptors(int taken[64], int nr, const struct rlimit *before)
{
	for (int i = 0; i < nr; i++)
		close(taken[i]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, before), 0);
}

/* With no descriptor left who comes is told at once, by being hung up on. */
static void test_server_hangs_up_without_descriptors(void **state)
{
	struct rlimit before;
	int taken[64], nr;
	(void)state;
	begin();
	int fd = call();
	assert_true(fd >= 0);
	take_descriptors(taken, &nr, &before);
	turn();
	assert_null(hear(fd));
	assert_int_equal(server.nr_hung_up, 1);
	assert_true(server.spare_fd >= 0);
	give_descriptors(taken, nr, &before);
	close(fd);
	end();
}

/* Without the spare one, too, it looks at nobody for a second: it does not spin. */
static void test_server_rests_without_descriptors(void **state)
{
	struct pollfd fds[SERVER_MAX_FDS];
	struct rlimit before;
	int taken[64], nr;
	(void)state;
	begin();
	int fd = call();
	assert_true(fd >= 0);
	close(server.spare_fd);
	server.spare_fd = -1;
	take_descriptors(taken, &nr, &before);
	turn();
	server_fds(&server, now_ns, fds);
	assert_int_equal(fds[0].fd, -1);
	assert_in_range(server_due_ns(&server, now_ns), now_ns + 1, now_ns + NS_PER_S);
	give_descriptors(taken, nr, &before);
	now_ns += 2 * NS_PER_S;
	turn();
	say(fd, "hello\n");
	turn();
	assert_string_equal(hear(fd), "hello\n");
	close(fd);
	end();
}

static void test_server_does_not_remove_a_file(void **state)
{
	struct server second;
	char file[96];
	PRINTBUF(err);
	(void)state;
	begin();
	snprintf(file, sizeof(file), "%s/file", folder);
	fclose(fopen(file, "w"));
	assert_int_equal(server_open(&second, file, &ops, NULL, &err), -EADDRINUSE);
	assert_int_equal(access(file, F_OK), 0);
	unlink(file);
	end();
}
