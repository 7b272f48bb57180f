#ifndef FERRY_CSYSTEM_FILES_H
#define FERRY_CSYSTEM_FILES_H

/* Files Swift cannot reach by itself: openat2, device numbers (makedev macros), eventfd. */

#include <stdint.h>
#include <sys/types.h>

/* Every function returns a value >= 0, or -errno. */

/* Opens a path, relative or absolute, as if `root` were the file system's root: no link and no
 * ".." leads out of it (RESOLVE_IN_ROOT). Close-on-exec. */
int ferry_open_in_root(int root, const char *path, int flags);

/* Opens a relative path that has no link in it and stays below `root` (RESOLVE_BENEATH,
 * RESOLVE_NO_SYMLINKS). Close-on-exec. */
int ferry_open_beneath(int root, const char *path, int flags);

/* The next entries of an open directory (getdents64): their bytes, 0 at the end. */
ssize_t ferry_read_entries(int directory, void *bytes, size_t byte_count);

/* What an open file or a path is, comparable between processes. */
struct ferry_file_identity {
    uint64_t device; /* of the file system; 0 for a device node */
    uint64_t inode;  /* 0 for a device node */
    uint32_t major;  /* of a character device, else 0 */
    uint32_t minor;
    uint32_t type; /* S_IFMT of the mode */
};

int ferry_identity(int fd, struct ferry_file_identity *identity);
int ferry_identity_of_path(const char *path, struct ferry_file_identity *identity);

int ferry_same_open_file(int fd, int other); /* kcmp, KCMP_FILE: 1 for the same, 0 for another */

int ferry_pipe(int ends[2]);            /* close-on-exec: the end to read, the end to write */
int ferry_close_on_exec(int fd);        /* FD_CLOEXEC of a descriptor somebody else opened */
int ferry_event(void); /* eventfd, close-on-exec, non-blocking */

#endif
