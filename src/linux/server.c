/* SPDX-License-Identifier: MIT */
/* Answering lines on a unix socket (server.h). */
#include "linux/server.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/error.h"

static int make_address(const char *path, struct sockaddr_un *ret, struct printbuf *err)
{
	*ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(ret->sun_path))
		return error_set(err, -ENAMETOOLONG,
				 "%s: longer than the %zu bytes that the name of a socket may have",
				 path, sizeof(ret->sun_path) - 1);
	memcpy(ret->sun_path, path, strlen(path) + 1);
	return 0;
}

/* Left by one that was killed: nobody listens. */
static bool is_abandoned(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool is = fd >= 0 && connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
		  errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	return is;
}

static int bind_to(int fd, const struct sockaddr_un *address)
{
	struct stat status;
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
		return 0;
	if (errno != EADDRINUSE || lstat(address->sun_path, &status) < 0 ||
	    !S_ISSOCK(status.st_mode) || !is_abandoned(address))
		return -errno;
	unlink(address->sun_path);
	return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

/* Never through a link that somebody else has put in its place meanwhile. */
static int open_to_all(const char *path)
{
	struct stat status;
	char name[64];
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), error = 0;
	if (fd < 0)
		return -errno;
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	if (fstat(fd, &status) < 0 || !S_ISSOCK(status.st_mode))
		error = -ENOTSOCK;
	else if (chmod(name, 0666) < 0)
		error = -errno;
	close(fd);
	return error;
}

static int open_spare(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int server_open(struct server *server, const char *path, const struct server_ops *ops,
		void *context, struct printbuf *err)
{
	struct sockaddr_un address;
	*server = (struct server){ .fd = -1, .spare_fd = -1, .ops = ops, .context = context };
	for (uint32_t i = 0; i < SERVER_MAX_CLIENTS; i++)
		server->clients[i].fd = -1;
	int error = make_address(path, &address, err);
	if (error)
		return error;
	server->path = strdup(path);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!server->path || fd < 0)
		error = server->path ? -errno : -ENOMEM;
	if (!error)
		error = bind_to(fd, &address);
	if (!error)
		error = open_to_all(path);
	if (!error && listen(fd, 128) < 0)
		error = -errno;
	server->spare_fd = error ? -1 : open_spare();
	server->fd = error ? -1 : fd;
	if (!error)
		return 0;
	if (fd >= 0)
		close(fd);
	server_close(server);
	return error_set(err, error, "%s: cannot be listened on: %s", path, error_text(error));
}

static void hang_up(struct server *server, struct server_client *client)
{
	if (client->fd < 0)
		return;
	close(client->fd);
	client->fd = -1;
	printbuf_fini(&client->answer);
}

/* He did what is not allowed. */
static void throw_out(struct server *server, struct server_client *client)
{
	server->nr_hung_up += client->fd >= 0;
	hang_up(server, client);
}

void server_close(struct server *server)
{
	if (!server->ops)
		return; /* was never opened */
	for (uint32_t i = 0; i < SERVER_MAX_CLIENTS; i++)
		hang_up(server, &server->clients[i]);
	if (server->fd >= 0) {
		close(server->fd);
		unlink(server->path);
	}
	if (server->spare_fd >= 0)
		close(server->spare_fd);
	free(server->path);
	server->path = NULL;
	server->fd = server->spare_fd = -1;
}

static int read_peer(int fd, struct server_peer *ret)
{
	struct ucred cred;
	socklen_t size = sizeof(cred), groups_size = sizeof(ret->groups);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0)
		return -errno;
	*ret = (struct server_peer){ .uid = cred.uid, .gid = cred.gid };
	/* More groups than there is room for: none of them counts. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, ret->groups, &groups_size) == 0)
		ret->nr_groups = (uint32_t)(groups_size / sizeof(gid_t));
	return 0;
}

bool server_peer_is_in(const struct server_peer *peer, gid_t group)
{
	for (uint32_t i = 0; i < peer->nr_groups; i++)
		if (peer->groups[i] == group)
			return true;
	return peer->gid == group;
}

/* Root always finds a place beside the others: these have three quarters. */
static struct server_client *find_place(struct server *server, uid_t uid)
{
	struct server_client *place = NULL;
	uint32_t nr_of_user = 0, nr_of_others = 0;
	for (uint32_t i = 0; i < SERVER_MAX_CLIENTS; i++) {
		struct server_client *client = &server->clients[i];
		if (client->fd < 0)
			place = place ? place : client;
		else if (client->peer.uid != 0)
			nr_of_others++;
		nr_of_user += client->fd >= 0 && client->peer.uid == uid;
	}
	bool has_room = uid == 0 || (nr_of_user < SERVER_MAX_OF_USER &&
				     nr_of_others < SERVER_MAX_CLIENTS / 4 * 3);
	return has_room ? place : NULL;
}

static void begin_second(struct server *server, uint64_t now_ns)
{
	if (now_ns - server->second_ns < NS_PER_S)
		return;
	server->second_ns = now_ns;
	server->nr_accepted = server->nr_answered = 0;
}

static bool is_over(const struct server *server, uint64_t now_ns)
{
	return now_ns - server->second_ns >= NS_PER_S;
}

static bool is_resting(const struct server *server, uint64_t now_ns)
{
	return server->nr_accepted >= SERVER_ACCEPTS_PER_S && !is_over(server, now_ns);
}

/* Others than root have had their share of this second. */
static bool is_to_wait(const struct server *server, const struct server_client *client,
		       uint64_t now_ns)
{
	return client->peer.uid != 0 && server->nr_answered >= SERVER_ANSWERS_PER_S &&
	       !is_over(server, now_ns);
}

/* With no descriptor left, whoever waits would keep poll() from sleeping: the spare one serves to
 * hang up on him. Where even that fails nobody is looked at before the next second. */
static void turn_away(struct server *server)
{
	int fd = -1;
	if (server->spare_fd >= 0) {
		close(server->spare_fd);
		fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	}
	if (fd >= 0)
		close(fd);
	server->nr_hung_up += fd >= 0;
	server->spare_fd = open_spare();
	server->nr_accepted = fd >= 0 ? server->nr_accepted + 1 : SERVER_ACCEPTS_PER_S;
}

static void accept_clients(struct server *server, uint64_t now_ns)
{
	for (int i = 0; i < SERVER_ACCEPTS && !is_resting(server, now_ns); i++) {
		struct server_peer peer;
		int fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
			turn_away(server);
			continue;
		}
		if (fd < 0)
			return;
		struct server_client *client = read_peer(fd, &peer) < 0
						       ? NULL
						       : find_place(server, peer.uid);
		server->nr_accepted += !client || peer.uid != 0;
		if (!client) {
			close(fd);
			server->nr_hung_up++;
			continue;
		}
		client->fd = fd;
		client->peer = peer;
		client->nr_line = client->nr_sent = 0;
		client->answer = PRINTBUF_HEAP;
		client->answer.max_size = SERVER_MAX_ANSWER;
		client->until_ns = now_ns + SERVER_PATIENCE_NS;
	}
}

static bool is_answering(const struct server_client *client)
{
	return client->answer.pos > client->nr_sent;
}

/* What did not go now goes when poll() says that there is room. */
static void send_answer(struct server *server, struct server_client *client, uint64_t now_ns)
{
	const char *text = printbuf_str(&client->answer);
	ssize_t nr = send(client->fd, text + client->nr_sent, client->answer.pos - client->nr_sent,
			  MSG_NOSIGNAL | MSG_DONTWAIT);
	if (nr < 0 && errno != EAGAIN && errno != EINTR) {
		hang_up(server, client);
		return;
	}
	client->nr_sent += nr > 0 ? (size_t)nr : 0;
	if (nr > 0)
		client->until_ns = now_ns + SERVER_PATIENCE_NS;
	if (is_answering(client))
		return;
	printbuf_fini(&client->answer);
	client->answer = PRINTBUF_HEAP;
	client->answer.max_size = SERVER_MAX_ANSWER;
	client->nr_sent = 0;
}

/* One line at a time: the next is looked at when its answer is gone. */
static void answer_line(struct server *server, struct server_client *client, uint64_t now_ns)
{
	char *end = memchr(client->line, '\n', client->nr_line);
	if (!end || is_answering(client) || is_to_wait(server, client, now_ns))
		return;
	server->nr_answered += client->peer.uid != 0;
	size_t nr = (size_t)(end - client->line);
	*end = '\0';
	if (memchr(client->line, '\0', nr)) {
		throw_out(server, client);
		return;
	}
	server->ops->answer(server->context, &client->peer, client->line, &client->answer);
	memmove(client->line, end + 1, client->nr_line - nr - 1);
	client->nr_line -= nr + 1;
	prt_char(&client->answer, '\n');
	if (printbuf_has_error(&client->answer) || client->answer.pos > SERVER_MAX_ANSWER) {
		hang_up(server, client);
		return;
	}
	client->until_ns = now_ns + SERVER_PATIENCE_NS;
	send_answer(server, client, now_ns);
}

/* The end of what he sends is not the end of what he wants to read. */
static void read_line(struct server *server, struct server_client *client, uint64_t now_ns)
{
	size_t room = sizeof(client->line) - client->nr_line;
	if (room == 0)
		return; /* full of whole lines that wait for their second */
	ssize_t nr = recv(client->fd, client->line + client->nr_line, room, MSG_DONTWAIT);
	if (nr == 0 || (nr < 0 && errno != EAGAIN && errno != EINTR)) {
		hang_up(server, client);
		return;
	}
	client->nr_line += nr > 0 ? (size_t)nr : 0;
	bool has_line = memchr(client->line, '\n', client->nr_line) != NULL;
	if (!has_line && client->nr_line == sizeof(client->line))
		throw_out(server, client);
}

uint32_t server_fds(const struct server *server, uint64_t now_ns, struct pollfd *fds)
{
	uint32_t nr = 0;
	bool listens = server->fd >= 0 && !is_resting(server, now_ns);
	fds[nr++] = (struct pollfd){ listens ? server->fd : -1, POLLIN, 0 };
	for (uint32_t i = 0; i < SERVER_MAX_CLIENTS; i++) {
		const struct server_client *client = &server->clients[i];
		bool waits = !is_answering(client) && is_to_wait(server, client, now_ns);
		fds[nr++] = (struct pollfd){ waits ? -1 : client->fd,
					     is_answering(client) ? POLLOUT : POLLIN, 0 };
	}
	return nr;
}

static void turn_client(struct server *server, struct server_client *client, short events,
			uint64_t now_ns)
{
	if (events & POLLOUT)
		send_answer(server, client, now_ns);
	else if (events)
		read_line(server, client, now_ns);
	size_t nr_before = 0;
	while (client->fd >= 0 && client->nr_line > 0 && client->nr_line != nr_before) {
		nr_before = client->nr_line;
		answer_line(server, client, now_ns);
	}
	if (client->fd >= 0 && now_ns >= client->until_ns)
		throw_out(server, client);
}

void server_turn(struct server *server, const struct pollfd *fds, uint32_t nr, uint64_t now_ns)
{
	begin_second(server, now_ns);
	for (uint32_t i = 1; i < nr; i++)
		if (fds[i].fd >= 0 && server->clients[i - 1].fd == fds[i].fd)
			turn_client(server, &server->clients[i - 1], fds[i].revents, now_ns);
	if (nr > 0 && fds[0].revents & POLLIN)
		accept_clients(server, now_ns);
}

uint64_t server_due_ns(const struct server *server, uint64_t now_ns)
{
	uint64_t next_ns = server->second_ns + NS_PER_S;
	uint64_t due_ns = is_resting(server, now_ns) ? next_ns : UINT64_MAX;
	for (uint32_t i = 0; i < SERVER_MAX_CLIENTS; i++) {
		const struct server_client *client = &server->clients[i];
		if (client->fd >= 0)
			due_ns = MIN(due_ns, is_to_wait(server, client, now_ns) ? next_ns
										: client->until_ns);
	}
	return due_ns;
}
