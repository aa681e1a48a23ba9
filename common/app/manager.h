/*
 * What the process and the one that started it say to each other: the protocol of systemd
 * (sd_listen_fds(3), sd_notify(3)), which app/hold.h speaks from the other side. Without
 * either all of it does nothing.
 *
 *   environment  LISTEN_FDS, LISTEN_PID   sockets that are open already, from 3 on
 *                NOTIFY_SOCKET            where it wants to hear of us
 *
 * The main thread's, before the workers start and after they have ended; but
 * manager_say is anyone's.
 */
#ifndef ONRUSH_APP_MANAGER_H
#define ONRUSH_APP_MANAGER_H

#include <stdbool.h>

#include "base/die.h"

enum {
	MANAGER_SOCKETS = 512,  /* that may be handed over */
	MANAGER_NAME_SIZE = 32, /* of what a socket is called when it is handed over */
};

/* Reads the environment and removes from it what was meant for this process alone. Call
 * it once, before there is a second thread. */
void manager_begin(void);

/*
 * Takes one of the sockets that were handed over, of which `fits` says true; the caller
 * owns it, it is non-blocking and closed by exec. -1 when there is none.
 */
int manager_take_socket(bool (*fits)(int fd, const void *arg), const void *arg) MUST_USE;

/* The name that a socket has for whoever keeps it: the same in every process. */
void manager_socket_name(int fd, char name[MANAGER_NAME_SIZE]);

/* Closes those that nobody has taken, and lets go of them; how many. */
int manager_drop_sockets(void);

/* Has a socket kept for the next copy of this program. It stays the caller's too. */
void manager_keep_socket(int fd);

/* Sends a line such as "READY=1". What cannot be said is left unsaid. */
void manager_say(const char *line);

#endif
