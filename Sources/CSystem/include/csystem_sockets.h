#ifndef FERRY_CSYSTEM_SOCKETS_H
#define FERRY_CSYSTEM_SOCKETS_H

/* UNIX packet sockets, whose addresses Swift cannot build. Values >= 0, or -errno. */

#include <sys/types.h>

/* A non-blocking, close-on-exec SOCK_SEQPACKET listener at a path. A socket nobody listens on any
 * more is removed first; -EADDRINUSE when somebody does, or when the path is no socket. */
int ferry_listen_packets(const char *path, mode_t mode, int backlog);

/* The next connection, non-blocking and close-on-exec; -EAGAIN when there is none. */
int ferry_accept(int listener);

/* A blocking, close-on-exec connection to such a listener. Connecting, sending and receiving give
 * up with -EAGAIN after the time; 0 waits without end. */
int ferry_connect_packets(const char *path, int timeout_ms);
int ferry_limit_waits(int fd, int timeout_ms);

/* Two connected ends, blocking and close-on-exec, for packets of up to about this size. */
int ferry_packet_pair(int ends[2], int byte_count);

int ferry_set_nonblocking(int fd);

/* 1 when the other end is closed, whatever is still to be received; else 0. */
int ferry_is_hung_up(int fd);

/* Both ends see the end of the other, in every process that holds them. */
void ferry_shut_down(int fd);

/* A close-on-exec datagram socket connected to a path, or to an abstract name after '@'. */
int ferry_connect_datagrams(const char *path);

/* A socket that hears what the kernel tells udev, non-blocking, or -errno. */
int ferry_listen_uevents(int buffer_byte_count);
/* The next message's length; 0 for one that is not the kernel's or was cut; -ENOBUFS when some were
 * lost, -EAGAIN when there is none. */
ssize_t ferry_receive_uevent(int fd, void *bytes, size_t byte_count);

#endif
