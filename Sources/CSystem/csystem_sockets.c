#define _GNU_SOURCE
#include "csystem_sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static int fill_address(struct sockaddr_un *address, const char *path)
{
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    if (strlen(path) >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

/* Removes the socket of a dead listener; anything else at the path stays and is in the way. */
static int remove_stale(const struct sockaddr_un *address)
{
    struct stat status;
    int probe, result;

    if (lstat(address->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EADDRINUSE;
    probe = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0)
        return -errno;
    result = connect(probe, (const struct sockaddr *)address, sizeof(*address));
    result = result < 0 ? errno : 0;
    close(probe);
    if (result != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(address->sun_path) < 0 ? -errno : 0;
}

int ferry_listen_packets(const char *path, mode_t mode, int backlog)
{
    struct sockaddr_un address;
    int listener, result;

    result = fill_address(&address, path);
    if (result == 0)
        result = remove_stale(&address);
    if (result < 0)
        return result;
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0)
        return -errno;
    /* The mode of the inode to be: set before bind, so that no moment is open to others. */
    if (fchmod(listener, mode) < 0 ||
        bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(listener, backlog) < 0) {
        result = -errno;
        close(listener);
        return result;
    }
    return listener;
}

int ferry_accept(int listener)
{
    int connection;

    do
        connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    while (connection < 0 && (errno == EINTR || errno == ECONNABORTED));
    return connection < 0 ? -errno : connection;
}

int ferry_connect_packets(const char *path, int timeout_ms)
{
    struct sockaddr_un address;
    int connection, result;

    result = fill_address(&address, path);
    if (result < 0)
        return result;
    connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (connection < 0)
        return -errno;
    result = ferry_limit_waits(connection, timeout_ms);
    if (result == 0) {
        do
            result = connect(connection, (struct sockaddr *)&address, sizeof(address));
        while (result < 0 && errno == EINTR);
        result = result < 0 ? -errno : 0;
    }
    if (result < 0) {
        close(connection);
        return result;
    }
    return connection;
}

int ferry_limit_waits(int fd, int timeout_ms)
{
    struct timeval time = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time)) < 0)
        return -errno;
    return 0;
}

int ferry_packet_pair(int ends[2], int byte_count)
{
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
        return -errno;
    /* A packet must fit whole; the kernel doubles the number and caps it, which is no failure. */
    for (int end = 0; end < 2; end++)
        setsockopt(ends[end], SOL_SOCKET, SO_SNDBUF, &byte_count, sizeof(byte_count));
    return 0;
}

int ferry_set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    return 0;
}

int ferry_is_hung_up(int fd)
{
    struct pollfd entry = {.fd = fd};
    int count;

    do
        count = poll(&entry, 1, 0);
    while (count < 0 && errno == EINTR);
    return count > 0 && (entry.revents & (POLLHUP | POLLNVAL)) != 0;
}

void ferry_shut_down(int fd) { shutdown(fd, SHUT_RDWR); }

int ferry_connect_datagrams(const char *path)
{
    struct sockaddr_un address;
    socklen_t length = sizeof(address);
    int sender, result;

    result = fill_address(&address, path);
    if (result < 0)
        return result;
    if (path[0] == '@') {
        address.sun_path[0] = '\0';
        length = offsetof(struct sockaddr_un, sun_path) + strlen(path);
    }
    sender = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sender < 0)
        return -errno;
    if (connect(sender, (struct sockaddr *)&address, length) < 0) {
        result = -errno;
        close(sender);
        return result;
    }
    return sender;
}

int ferry_listen_uevents(int buffer_byte_count)
{
    struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    int raw = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
    int error;

    if (raw < 0)
        return -errno;
    /* More than the limit of the system, where we may; else as much as it lets. */
    if (setsockopt(raw, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_byte_count, sizeof(int)) < 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVBUF, &buffer_byte_count, sizeof(int));
    if (bind(raw, (struct sockaddr *)&address, sizeof(address)) < 0) {
        error = -errno;
        close(raw);
        return error;
    }
    return raw;
}

ssize_t ferry_receive_uevent(int fd, void *bytes, size_t byte_count)
{
    struct sockaddr_nl sender;
    struct iovec part = {.iov_base = bytes, .iov_len = byte_count};
    struct msghdr message = {.msg_name = &sender, .msg_namelen = sizeof(sender),
                             .msg_iov = &part, .msg_iovlen = 1};
    ssize_t count;

    do
        count = recvmsg(fd, &message, 0);
    while (count < 0 && errno == EINTR);
    if (count < 0)
        return -errno;
    /* Only the kernel is port 0; what a program sends is nothing to go by. */
    if (sender.nl_pid != 0 || message.msg_flags & MSG_TRUNC)
        return 0;
    return count;
}
