#ifndef FERRY_CSYSTEM_H
#define FERRY_CSYSTEM_H

/* What Swift cannot reach by itself: macros (CMSG_*), variadic calls, _GNU_SOURCE types. */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Every function returns a value >= 0, or -errno. None sets errno for the caller to read. */

int ferry_open(const char *path, int flags, mode_t mode);
int ferry_openat(int directory, const char *path, int flags, mode_t mode);
int ferry_ioctl(int fd, unsigned long request, void *argument);
int ferry_duplicate(int fd); /* F_DUPFD_CLOEXEC */

/* Sends one packet with up to FERRY_MAX_DESCRIPTORS descriptors beside it (SCM_RIGHTS). */
#define FERRY_MAX_DESCRIPTORS 8
ssize_t ferry_send_packet(int fd, const void *bytes, size_t byte_count, const int *descriptors,
                          size_t descriptor_count);

/* Receives one packet and the descriptors that came with it, close-on-exec. A packet or a set of
 * descriptors that did not fit is -EMSGSIZE, and the descriptors that came are closed. 0: closed. */
ssize_t ferry_receive_packet(int fd, void *bytes, size_t byte_count, int *descriptors,
                             size_t *descriptor_count);

#endif
