#ifndef FERRY_CMICROHTTPD_H
#define FERRY_CMICROHTTPD_H

/* libmicrohttpd for Swift: its variadic functions and its macros behind typed ones, and the calls
 * of Linux that Swift's Glibc does not show. */

#include <errno.h>
#include <microhttpd.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

/* What a daemon without a listening socket and without threads of its own is started with. */
struct ferry_http_daemon {
    unsigned int connection_limit;
    size_t connection_memory;
    MHD_NotifyConnectionCallback connection_changed;
    void *(*target_read)(void *context, const char *target, struct MHD_Connection *connection);
    MHD_AccessHandlerCallback request_progressed;
    MHD_RequestCompletedCallback request_ended;
    void *context;
};

static inline struct MHD_Daemon *ferry_http_start(const struct ferry_http_daemon *with)
{
    return MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME,
        0, NULL, NULL, with->request_progressed, with->context,
        MHD_OPTION_CONNECTION_LIMIT, with->connection_limit,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, with->connection_memory,
        MHD_OPTION_NOTIFY_CONNECTION, with->connection_changed, with->context,
        MHD_OPTION_URI_LOG_CALLBACK, with->target_read, with->context,
        MHD_OPTION_NOTIFY_COMPLETED, with->request_ended, with->context,
        MHD_OPTION_END);
}

/* The descriptor that is readable when a daemon has something to do, or -1. */
static inline int ferry_http_events(struct MHD_Daemon *daemon)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info == NULL ? -1 : info->epoll_fd;
}

/* How many milliseconds a daemon may be left alone, -1 when until its descriptor is readable. */
static inline int ferry_http_patience(struct MHD_Daemon *daemon)
{
    MHD_UNSIGNED_LONG_LONG patience = 0;
    if (MHD_get_timeout(daemon, &patience) != MHD_YES)
        return -1;
    return patience > 60000 ? 60000 : (int)patience;
}

/* The descriptor of a connection, or -1. */
static inline int ferry_http_descriptor(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info == NULL ? -1 : info->connect_fd;
}

/* What the callback of the connection's start left there. */
static inline void *ferry_http_context(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == NULL ? NULL : info->socket_context;
}

/* How many bytes the request line and the headers had. */
static inline size_t ferry_http_head_size(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info == NULL ? 0 : info->header_size;
}

/* The length of a body that is not known, and what a reader says when it has no more bytes. */
static const uint64_t ferry_http_unknown_size = MHD_SIZE_UNKNOWN;
static const ssize_t ferry_http_body_end = MHD_CONTENT_READER_END_OF_STREAM;
static const ssize_t ferry_http_body_broken = MHD_CONTENT_READER_END_WITH_ERROR;

/* Has libmicrohttpd look at a connection in its next run, and in every later one.
 *
 * 0.9.75 takes a connection whose reader failed for closed, and then looks at it no more but for its
 * timeout; those of the connections with one of their own are the only ones it always looks at. */
static inline void ferry_http_look_again(struct MHD_Connection *connection)
{
    MHD_set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
}

/* Keeps a body from being chunked: its connection ends with it. */
static inline void ferry_http_forbid_chunks(struct MHD_Response *response)
{
    MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
}

/* Declared again: the C library shows it to _GNU_SOURCE only. */
extern int accept4(int descriptor, struct sockaddr *address, socklen_t *length, int flags);

/* The next waiting connection, close-on-exec and non-blocking, or -errno. */
static inline int ferry_http_accept(int listener)
{
    int descriptor = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

/* A descriptor to wake a poll() by, or -errno. */
static inline int ferry_http_wakeup(void)
{
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor < 0 ? -errno : descriptor;
}

/* A descriptor that tells of clients who hang up, or -errno. */
static inline int ferry_http_watch(void)
{
    int descriptor = epoll_create1(EPOLL_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}

/* Has a client's hanging up told, once, by this number. */
static inline int ferry_http_watch_add(int watch, int descriptor, uint64_t number)
{
    /* ONESHOT: a shutdown() of ours would have it told again. */
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLONESHOT, .data = {.u64 = number}};
    return epoll_ctl(watch, EPOLL_CTL_ADD, descriptor, &event) < 0 ? -errno : 0;
}

/* Forgets a client; needed while its socket has another descriptor. */
static inline void ferry_http_watch_remove(int watch, int descriptor)
{
    epoll_ctl(watch, EPOLL_CTL_DEL, descriptor, NULL);
}

enum { FERRY_HTTP_WATCH_BATCH = 64 };

/* The numbers of clients who have hung up, a batch at most; how many. Never blocks. */
static inline int ferry_http_watch_take(int watch, uint64_t *numbers)
{
    struct epoll_event events[FERRY_HTTP_WATCH_BATCH];
    int count = epoll_wait(watch, events, FERRY_HTTP_WATCH_BATCH, 0);
    for (int index = 0; index < count; index++)
        numbers[index] = events[index].data.u64;
    return count < 0 ? 0 : count;
}

#endif
