/* SPDX-License-Identifier: MIT */
/*
 * A unix socket that answers lines: a client sends a line, gets a line, and may ask again. Who asks
 * is what the kernel says of the other end (SO_PEERCRED, SO_PEERGROUPS), never what he says.
 *
 *     listening ----> clients [0] in: up to a line    out: what is left of the answer
 *     0666            clients [1] ...
 *                     ...
 *
 * Everybody may connect, so nobody may do harm by it. All is bounded:
 *   - SERVER_MAX_CLIENTS at a time, SERVER_MAX_OF_USER of one user that is not root; who comes when
 *     there is no room is hung up on, SERVER_ACCEPTS in a turn, and after SERVER_ACCEPTS_PER_S of
 *     others than root nobody is looked at before the next second;
 *   - others than root get SERVER_ANSWERS_PER_S all together, and wait for the next second then;
 *   - a line of SERVER_MAX_LINE bytes; more, or a NUL in it, ends the connection;
 *   - SERVER_PATIENCE_NS for a whole line to come, for an answer to be fetched, for the next
 *     question: who takes longer is hung up on. A client who waits costs nothing;
 *   - an answer of SERVER_MAX_ANSWER bytes, made when it is asked for.
 * No read and no write ever blocks.
 *
 * Cost: 4 KiB per client, a system call or two per question.
 */
#ifndef BERTH_LINUX_SERVER_H
#define BERTH_LINUX_SERVER_H

#include <poll.h>
#include <sys/types.h>

#include "base/printbuf.h"
#include "base/types.h"

#define SERVER_MAX_CLIENTS   32
#define SERVER_MAX_OF_USER   8
#define SERVER_MAX_GROUPS    64
#define SERVER_ACCEPTS	     64
#define SERVER_ACCEPTS_PER_S 256
#define SERVER_ANSWERS_PER_S 100
#define SERVER_MAX_LINE	     4096
#define SERVER_MAX_ANSWER    ((size_t)8 << 20)
#define SERVER_PATIENCE_NS   (10 * NS_PER_S)
#define SERVER_MAX_FDS	     (SERVER_MAX_CLIENTS + 1)

struct server_peer {
	uid_t uid;
	gid_t gid;
	gid_t groups[SERVER_MAX_GROUPS]; /* the supplementary ones */
	uint32_t nr_groups;
};

struct server_ops {
	/* WHEN: for each whole line, without its end. What it puts into `out` is the answer; a
	 * newline is put behind it. */
	void (*answer)(void *context, const struct server_peer *peer, char *line,
		       struct printbuf *out);
};

struct server_client {
	int fd; /* -1: none */
	struct server_peer peer;
	char line[SERVER_MAX_LINE];
	size_t nr_line;
	struct printbuf answer;
	size_t nr_sent;
	uint64_t until_ns; /* his patience ends */
};

struct server {
	int fd, spare_fd; /* spare: given up to hang up on clients when there is no other */
	char *path;
	const struct server_ops *ops;
	void *context;
	struct server_client clients[SERVER_MAX_CLIENTS];
	uint64_t second_ns;		   /* begin of the second in which these are counted */
	uint32_t nr_accepted, nr_answered; /* of others than root */
	uint64_t nr_hung_up;		   /* clients without a place, patience or manners, ever */
};

/* A socket of that name that nobody listens on is replaced. -EADDRINUSE: somebody does. */
int server_open(struct server *server, const char *path, const struct server_ops *ops,
		void *context, struct printbuf *err);
void server_close(struct server *server); /* and removes the socket */
/* What to wait for; SERVER_MAX_FDS of room. */
uint32_t server_fds(const struct server *server, uint64_t now_ns, struct pollfd *fds);
/* What poll() has said of them. Never blocks. */
void server_turn(struct server *server, const struct pollfd *fds, uint32_t nr, uint64_t now_ns);
/* When somebody's patience ends; UINT64_MAX: nobody's. */
uint64_t server_due_ns(const struct server *server, uint64_t now_ns);
bool server_peer_is_in(const struct server_peer *peer, gid_t group);

#endif
