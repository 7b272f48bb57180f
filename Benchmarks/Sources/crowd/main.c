/* A crowd of clients: some follow the events of a server, the others were answered once and idle.
 *
 *     crowd PORT SUBSCRIBERS IDLE
 *
 * Prints `open` when every subscriber has its first event and every idle connection its answer.
 * Then it obeys the lines of its input, and leaves at the end of it:
 *
 *     watch    prints `watching`, and when every subscriber has had an event since then the times of
 *              the median one, of that at 99 %, and of the last one: nanoseconds of the monotonic
 *              clock, so that who caused the event can tell how long it took
 *
 * A connection that the server closes, a refusal, and an event that does not come within 10 seconds
 * end it with a failure.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { patience_milliseconds = 10000, chunk = 1 << 16 };

/* What a connection waits for: after a byte that does not fit only the first one can. */
static const char event_mark[] = "\ndata: ";
static const char end_of_head[] = "\r\n\r\n";

struct connection {
    int descriptor;
    int is_subscriber;
    int was_answered; /* with status 200 */
    int matched;      /* bytes of the mark that were seen in a row */
    int is_awaited;
    unsigned long long at;
};

static struct connection *connections;
static int subscriber_count, connection_count, awaited_count;
static int poller;

static void die(const char *what)
{
    fprintf(stderr, "crowd: %s: %s\n", what, strerror(errno));
    exit(1);
}

static unsigned long long now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (unsigned long long)time.tv_sec * 1000000000ull + (unsigned long long)time.tv_nsec;
}

static void await(struct connection *connection)
{
    connection->is_awaited = 1;
    awaited_count++;
}

static void look_for(const char *mark, struct connection *connection, const char *bytes, ssize_t size)
{
    for (ssize_t index = 0; index < size; index++) {
        if (bytes[index] == mark[connection->matched]) connection->matched++;
        else connection->matched = bytes[index] == mark[0];
        if (mark[connection->matched] != 0) continue;
        connection->matched = 0;
        if (!connection->is_awaited) continue;
        connection->is_awaited = 0;
        connection->at = now();
        awaited_count--;
    }
}

static void did_become_readable(struct connection *connection)
{
    static const char success[] = "HTTP/1.1 200 ";
    static char bytes[chunk];
    ssize_t size = recv(connection->descriptor, bytes, sizeof bytes, 0);
    if (size < 0) die("recv");
    if (size == 0) {
        errno = ECONNRESET;
        die("the server closed a connection");
    }
    if (!connection->was_answered) {
        if (size < (ssize_t)sizeof success || memcmp(bytes, success, sizeof success - 1) != 0) {
            fprintf(stderr, "crowd: refused: %.*s\n", (int)size, bytes);
            exit(1);
        }
        connection->was_answered = 1;
    }
    look_for(connection->is_subscriber ? event_mark : end_of_head, connection, bytes, size);
}

/* Until nothing is awaited. */
static void receive(void)
{
    unsigned long long deadline = now() + patience_milliseconds * 1000000ull;
    while (awaited_count > 0) {
        struct epoll_event events[256];
        int count = epoll_wait(poller, events, 256, patience_milliseconds);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int index = 0; index < count; index++) did_become_readable(events[index].data.ptr);
        if (now() > deadline) {
            errno = ETIMEDOUT;
            die("what every connection should have");
        }
    }
}

static void join(struct connection *connection, int port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((unsigned short)port) };
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connection->descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connection->descriptor < 0) die("socket");
    if (connect(connection->descriptor, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    char request[256];
    int size = snprintf(request, sizeof request, "%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n",
                        connection->is_subscriber ? "GET /v1/events" : "HEAD /healthz", port);
    if (send(connection->descriptor, request, (size_t)size, MSG_NOSIGNAL) != size) die("send");
    struct epoll_event event = { .events = EPOLLIN, .data.ptr = connection };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, connection->descriptor, &event) != 0) die("epoll_ctl");
    await(connection);
}

static int is_earlier(const void *one, const void *other)
{
    unsigned long long left = *(const unsigned long long *)one;
    unsigned long long right = *(const unsigned long long *)other;
    return (left > right) - (left < right);
}

static void watch(void)
{
    for (int index = 0; index < subscriber_count; index++) await(&connections[index]);
    puts("watching");
    receive();
    unsigned long long *times = calloc((size_t)subscriber_count, sizeof *times);
    if (times == NULL) die("calloc");
    for (int index = 0; index < subscriber_count; index++) times[index] = connections[index].at;
    qsort(times, (size_t)subscriber_count, sizeof *times, is_earlier);
    printf("%llu %llu %llu\n", times[subscriber_count / 2], times[subscriber_count * 99 / 100],
           times[subscriber_count - 1]);
    free(times);
}

/* What comes while nobody waits for it is read all the same, so that no subscriber falls behind. */
static void obey(void)
{
    char command[64];
    struct epoll_event input = { .events = EPOLLIN, .data.ptr = NULL };
    if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) die("epoll_ctl");
    for (;;) {
        struct epoll_event events[256];
        int is_told = 0;
        int count = epoll_wait(poller, events, 256, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int index = 0; index < count; index++) {
            if (events[index].data.ptr == NULL) is_told = 1;
            else did_become_readable(events[index].data.ptr);
        }
        if (!is_told) continue;
        if (fgets(command, sizeof command, stdin) == NULL) return;
        /* Input that comes meanwhile is for afterwards. */
        if (epoll_ctl(poller, EPOLL_CTL_DEL, STDIN_FILENO, NULL) != 0) die("epoll_ctl");
        if (strcmp(command, "watch\n") == 0) watch();
        if (epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) die("epoll_ctl");
    }
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 4) {
        fprintf(stderr, "usage: crowd PORT SUBSCRIBERS IDLE\n");
        return 2;
    }
    int port = atoi(arguments[1]);
    subscriber_count = atoi(arguments[2]);
    connection_count = subscriber_count + atoi(arguments[3]);
    if (subscriber_count < 1 || connection_count < subscriber_count) return 2;
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0) die("getrlimit");
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) die("setrlimit");
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* One line at a time, so that epoll and the buffer never disagree. */
    setvbuf(stdin, NULL, _IONBF, 0);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (poller < 0) die("epoll_create1");
    connections = calloc((size_t)connection_count, sizeof *connections);
    if (connections == NULL) die("calloc");
    for (int index = 0; index < connection_count; index++) {
        connections[index].is_subscriber = index < subscriber_count;
        join(&connections[index], port);
    }
    receive();
    puts("open");
    obey();
    return 0;
}
