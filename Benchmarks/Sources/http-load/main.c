/* Asks a server over and over on connections that stay open, and says how often it was answered.
 *
 *     http-load PORT CONNECTIONS MILLISECONDS TARGET...
 *
 * Every connection asks for the targets in turn, the next one when an answer is there whole; all of
 * them once are a round. Prints one line: rounds, nanoseconds, bytes of the bodies, and answers that
 * were not 200. One thread and two system calls a request, so that what is measured is the server.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { connection_limit = 256, target_limit = 16, head_limit = 8192, chunk = 1 << 20 };

struct connection {
    int descriptor;
    int target;
    /* Of the head of the answer under way. */
    char head[head_limit];
    size_t head_size;
    /* Of its body: unknown while the head is not whole. */
    int knows_length;
    unsigned long long rest;
};

static char *requests[target_limit];
static size_t request_sizes[target_limit];
static int target_count;
static unsigned long long rounds, body_bytes, refusals;
static char scratch[chunk];

static void die(const char *what)
{
    fprintf(stderr, "http-load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (unsigned long long)time.tv_sec * 1000000000ull + (unsigned long long)time.tv_nsec;
}

static void ask(struct connection *connection)
{
    const char *request = requests[connection->target];
    size_t size = request_sizes[connection->target];
    /* A request is small and the socket's buffer empty: it goes at once or not at all. */
    if (send(connection->descriptor, request, size, MSG_NOSIGNAL) != (ssize_t)size) die("send");
    connection->head_size = 0;
    connection->knows_length = 0;
    connection->rest = 0;
}

/* Reads the length of the body out of a whole head. */
static void read_head(struct connection *connection)
{
    static const char name[] = "\r\nContent-Length:";
    const char *length = strcasestr(connection->head, name);
    if (length == NULL) {
        errno = EPROTO;
        die("an answer without Content-Length");
    }
    connection->rest = strtoull(length + sizeof name - 1, NULL, 10);
    connection->knows_length = 1;
    if (strncmp(connection->head, "HTTP/1.1 200 ", 13) != 0) refusals++;
    body_bytes += connection->rest;
}

/* Takes bytes of an answer; they never reach into the next, which was not asked for yet. */
static void take(struct connection *connection, const char *bytes, size_t size)
{
    if (!connection->knows_length) {
        size_t room = head_limit - 1 - connection->head_size;
        size_t taken = size < room ? size : room;
        memcpy(connection->head + connection->head_size, bytes, taken);
        size_t before = connection->head_size;
        connection->head_size += taken;
        connection->head[connection->head_size] = 0;
        const char *end = strstr(connection->head, "\r\n\r\n");
        if (end == NULL) {
            if (taken < size) {
                errno = EMSGSIZE;
                die("the head of an answer");
            }
            return;
        }
        size_t in_head = (size_t)(end + 4 - connection->head) - before;
        read_head(connection);
        size -= in_head;
    }
    if (size > connection->rest) {
        errno = EPROTO;
        die("more bytes than Content-Length says");
    }
    connection->rest -= size;
}

static void did_become_readable(struct connection *connection)
{
    ssize_t count = recv(connection->descriptor, scratch, sizeof scratch, 0);
    if (count < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        die("recv");
    }
    if (count == 0) {
        errno = ECONNRESET;
        die("the server closed a connection");
    }
    take(connection, scratch, (size_t)count);
    if (!connection->knows_length || connection->rest > 0) return;
    connection->target++;
    if (connection->target == target_count) {
        connection->target = 0;
        rounds++;
    }
    ask(connection);
}

static void open_connection(struct connection *connection, int epoll, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->descriptor < 0) die("socket");
    if (connect(connection->descriptor, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    int one = 1;
    setsockopt(connection->descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, connection->descriptor, &event) != 0) die("epoll_ctl");
}

int main(int argument_count, char **arguments)
{
    if (argument_count < 5 || argument_count - 4 > target_limit) {
        fprintf(stderr, "usage: http-load PORT CONNECTIONS MILLISECONDS TARGET...\n");
        return 2;
    }
    int port = atoi(arguments[1]);
    int connection_count = atoi(arguments[2]);
    unsigned long long duration = strtoull(arguments[3], NULL, 10) * 1000000ull;
    if (connection_count < 1 || connection_count > connection_limit) return 2;
    target_count = argument_count - 4;
    for (int index = 0; index < target_count; index++) {
        /* What curl sends. */
        int size = asprintf(&requests[index],
                            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUser-Agent: curl/7.88.1\r\n"
                            "Accept: */*\r\n\r\n",
                            arguments[4 + index], port);
        if (size < 0) die("asprintf");
        request_sizes[index] = (size_t)size;
    }
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0) die("epoll_create1");
    struct connection *connections = calloc((size_t)connection_count, sizeof *connections);
    if (connections == NULL) die("calloc");
    for (int index = 0; index < connection_count; index++)
        open_connection(&connections[index], epoll, port);
    unsigned long long start = now(), end = start;
    for (int index = 0; index < connection_count; index++) ask(&connections[index]);
    while (end - start < duration) {
        struct epoll_event events[64];
        int count = epoll_wait(epoll, events, 64, 1000);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int index = 0; index < count; index++) did_become_readable(events[index].data.ptr);
        end = now();
    }
    printf("%llu %llu %llu %llu\n", rounds, end - start, body_bytes, refusals);
    return 0;
}
