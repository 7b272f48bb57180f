#define _GNU_SOURCE
#include "csystem.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int or_errno(int result) { return result < 0 ? -errno : result; }

int ferry_open(const char *path, int flags, mode_t mode)
{
    return or_errno(open(path, flags | O_CLOEXEC, mode));
}

int ferry_openat(int directory, const char *path, int flags, mode_t mode)
{
    return or_errno(openat(directory, path, flags | O_CLOEXEC, mode));
}

int ferry_ioctl(int fd, unsigned long request, void *argument)
{
    return or_errno(ioctl(fd, request, argument));
}

int ferry_duplicate(int fd) { return or_errno(fcntl(fd, F_DUPFD_CLOEXEC, 3)); }

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * FERRY_MAX_DESCRIPTORS)];
};

ssize_t ferry_send_packet(int fd, const void *bytes, size_t byte_count, const int *descriptors,
                          size_t descriptor_count)
{
    union control control;
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = byte_count};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    ssize_t sent;

    if (descriptor_count > FERRY_MAX_DESCRIPTORS)
        return -EINVAL;
    if (descriptor_count > 0) {
        memset(&control, 0, sizeof(control));
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * descriptor_count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * descriptor_count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * descriptor_count);
    }
    do
        sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

ssize_t ferry_receive_packet(int fd, void *bytes, size_t byte_count, int *descriptors,
                             size_t *descriptor_count)
{
    union control control;
    struct iovec vector = {.iov_base = bytes, .iov_len = byte_count};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control.bytes)};
    size_t capacity = *descriptor_count;
    ssize_t received;
    int truncated;

    *descriptor_count = 0;
    do
        received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    while (received < 0 && errno == EINTR);
    if (received < 0)
        return -errno;
    truncated = (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header != NULL;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t index = 0; index < count; index++) {
            int descriptor;
            memcpy(&descriptor, CMSG_DATA(header) + index * sizeof(int), sizeof(int));
            if (*descriptor_count < capacity) {
                descriptors[(*descriptor_count)++] = descriptor;
            } else {
                close(descriptor);
                truncated = 1;
            }
        }
    }
    if (!truncated)
        return received;
    while (*descriptor_count > 0)
        close(descriptors[--*descriptor_count]);
    return -EMSGSIZE;
}
