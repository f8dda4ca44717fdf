/* SPDX-License-Identifier: MIT */
/* Telling the manager of services where a service stands (systemd's Type=notify). */
#ifndef BERTH_LINUX_NOTIFY_H
#define BERTH_LINUX_NOTIFY_H

/* "READY=1", "STOPPING=1", "RELOADING=1\n...", "STATUS=...". One datagram to the socket that the
 * environment names (NOTIFY_SOCKET); nothing when it names none, and nothing is awaited.
 * Source: sd_notify(3). */
void notify_manager(const char *state);

#endif
