/* The least that libmicrohttpd can serve: what Ferry's API is measured against.
 *
 *     bare-server bytes FILE    answers every request with the file's bytes, from one response
 *                               that is made once: nothing is rendered, routed or checked
 *     bare-server dump FILE     holds the documents of a list {"items":[…]} as jansson values, and
 *                               dumps all of them for every request
 *
 * Prints its port. The daemon's options are those of ferryd's listeners: epoll, two threads, the
 * same memory for a connection. The headers are those that Ferry sends, so that equal bytes go
 * over the wire. Ends when its standard input does.
 */
#include <jansson.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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
    struct sockaddr_in loopback = { .sin_family = AF_INET };
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
        answer, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_CONNECTION_LIMIT, 1024u,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)65536, MHD_OPTION_SOCK_ADDR,
        &loopback, MHD_OPTION_END);
    if (daemon == NULL) return 1;
    printf("%u\n", MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    char byte;
    while (read(0, &byte, 1) > 0)
        ;
    MHD_stop_daemon(daemon);
    return 0;
}
