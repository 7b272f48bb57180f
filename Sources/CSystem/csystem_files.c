#define _GNU_SOURCE
#include "csystem_files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <linux/openat2.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static int open_resolved(int root, const char *path, int flags, uint64_t resolve)
{
    struct open_how how = {
        .flags = (uint64_t)(uint32_t)(flags | O_CLOEXEC),
        .resolve = resolve | RESOLVE_NO_MAGICLINKS,
    };
    long result;

    /* The kernel answers EAGAIN when a rename or mount raced with the walk of "..". */
    for (int attempt = 0; attempt < 16; attempt++) {
        result = syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (result >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return result < 0 ? -errno : (int)result;
}

int ferry_open_in_root(int root, const char *path, int flags)
{
    return open_resolved(root, path, flags, RESOLVE_IN_ROOT);
}

int ferry_open_beneath(int root, const char *path, int flags)
{
    return open_resolved(root, path, flags, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS);
}

ssize_t ferry_read_entries(int directory, void *bytes, size_t byte_count)
{
    ssize_t count;

    do
        count = syscall(SYS_getdents64, directory, bytes, byte_count);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

static int identify(int result, const struct stat *status, struct ferry_file_identity *identity)
{
    if (result < 0)
        return -errno;
    *identity = (struct ferry_file_identity){.type = status->st_mode & S_IFMT};
    if (S_ISCHR(status->st_mode)) {
        identity->major = major(status->st_rdev);
        identity->minor = minor(status->st_rdev);
    } else {
        identity->device = status->st_dev;
        identity->inode = status->st_ino;
    }
    return 0;
}

int ferry_identity(int fd, struct ferry_file_identity *identity)
{
    struct stat status;
    return identify(fstat(fd, &status), &status, identity);
}

int ferry_identity_of_path(const char *path, struct ferry_file_identity *identity)
{
    struct stat status;
    return identify(stat(path, &status), &status, identity);
}

int ferry_same_open_file(int fd, int other)
{
    pid_t self = getpid();
    long order = syscall(SYS_kcmp, self, self, KCMP_FILE, (unsigned long)fd, (unsigned long)other);
    return order < 0 ? -errno : order == 0;
}

int ferry_event(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int ferry_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0; }

int ferry_close_on_exec(int fd)
{
    int flags = fcntl(fd, F_GETFD);
    return flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0 ? -errno : 0;
}
