/* The least that libmicrohttpd can serve: what Ferry's API is measured against.
 *
 *     bare-server bytes FILE    answers every request with the file's bytes, from one response
 *                               that is made once: nothing is rendered, routed or checked
 *     bare-server dump FILE     holds the documents of a list {"items":[…]} as jansson values, and
 *                               dumps all of them for every request
 *
 * Prints its port. The daemon's options are those of ferryd's listeners: epoll, two threads, the
 * same memory for a connection, connections accepted beside it and shared out evenly. (With a
 * listening socket of its own one of its threads may get them all, and be measured alone.) The
 * headers are those that Ferry sends, so that equal bytes go over the wire. Ends when its standard
 * input does.
 */
#define _GNU_SOURCE
#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct MHD_Response *prepared;
static json_t *document;

static void add_headers(struct MHD_Response *response)
{
    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *size, void **request)
{
    (void)context, (void)url, (void)method, (void)version, (void)data, (void)size;
    /* An answer in the first call would close the connection. */
    if (*request == NULL) {
        *request = &prepared;
        return MHD_YES;
    }
    if (document == NULL) return MHD_queue_response(connection, MHD_HTTP_OK, prepared);
    char *text = json_dumps(document, JSON_COMPACT);
    if (text == NULL) return MHD_NO;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
    if (response == NULL) return MHD_NO;
    add_headers(response);
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static char *file_text(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) return NULL;
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = malloc(*size + 1);
    if (text != NULL && fread(text, 1, *size, file) != *size) {
        free(text);
        text = NULL;
    }
    fclose(file);
    return text;
}

/* Says the port. */
static int listen_on_loopback(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 128) != 0 || getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        return -1;
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

int main(int argument_count, char **arguments)
{
    if (argument_count != 3) return 2;
    size_t size;
    char *text = file_text(arguments[2], &size);
    if (text == NULL) return 1;
    if (strcmp(arguments[1], "dump") == 0) {
        document = json_loadb(text, size, 0, NULL);
        if (document == NULL) return 1;
    } else {
        prepared = MHD_create_response_from_buffer(size, text, MHD_RESPMEM_PERSISTENT);
        if (prepared == NULL) return 1;
        add_headers(prepared);
    }
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ITC |
            MHD_ALLOW_SUSPEND_RESUME,
        0, NULL, NULL, answer, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2u,
        MHD_OPTION_CONNECTION_LIMIT, 1024u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536,
        MHD_OPTION_END);
    int listener = listen_on_loopback();
    if (daemon == NULL || listener < 0) return 1;
    for (;;) {
        struct pollfd polled[] = { { .fd = 0, .events = POLLIN }, { .fd = listener, .events = POLLIN } };
        if (poll(polled, 2, -1) < 0) continue;
        /* Nothing is ever written to it: it can only have ended. */
        if (polled[0].revents != 0) break;
        int connection = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        struct sockaddr none = { .sa_family = AF_UNSPEC };
        if (connection >= 0) MHD_add_connection(daemon, connection, &none, sizeof none);
    }
    MHD_stop_daemon(daemon);
    return 0;
}
