#ifndef FERRY_CSYSTEM_SOCKETS_H
#define FERRY_CSYSTEM_SOCKETS_H

/* UNIX packet sockets, whose addresses Swift cannot build. Values >= 0, or -errno. */

#include <sys/types.h>

/* A non-blocking, close-on-exec SOCK_SEQPACKET listener at a path. A socket nobody listens on any
 * more is removed first; -EADDRINUSE when somebody does, or when the path is no socket. */
int ferry_listen_packets(const char *path, mode_t mode, int backlog);

/* The next connection, non-blocking and close-on-exec; -EAGAIN when there is none. */
int ferry_accept(int listener);

/* A close-on-exec datagram socket connected to a path, or to an abstract name after '@'. */
int ferry_connect_datagrams(const char *path);

#endif
