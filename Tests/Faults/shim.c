// Preloaded into ferryd by the fault tests: it counts the calls that change durable state below one
// directory, and at the n-th of them kills the process or makes the call fail. It can also turn the
// wall clock. The tests steer it, and read what it saw, through a page of memory both have mapped.
//
//   FAULT_ROOT   the directory whose files count
//   FAULT_PAGE   the file with the page (control.py makes it)
//
// Everything is a raw system call or written out here: nothing is allocated, no lock is taken, and
// it makes no difference whether a sanitizer's runtime has come up yet.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

// ---- The page. control.py knows the same offsets.

enum { PAGE_MAGIC = 0x46524c54, TRACE_LENGTH = 16384, NAME_LENGTH = 40 };
enum mode { COUNT, KILL_BEFORE, KILL_AFTER, FAIL, SHORT };
enum class { WRITE = 1, SYNC = 2, RESIZE = 4, NAME = 8 };

struct entry {
    uint32_t class;
    uint32_t failed;  // errno that was given, or the bytes of a short write with the sign turned
    char call[16];
    char name[NAME_LENGTH];  // below the root, its end when it is long
};

struct page {
    _Atomic uint32_t magic;
    _Atomic uint32_t mode;
    _Atomic uint32_t classes;  // which calls the counter `seen` is for
    _Atomic int32_t error;
    _Atomic uint64_t first;    // calls from this one, by `seen`, from 1
    _Atomic uint64_t last;     // to this one
    _Atomic uint64_t seen;
    _Atomic uint64_t hits;
    _Atomic uint64_t jump_at;  // the call, of whatever class, at which the wall clock jumps
    _Atomic int64_t jump;      // nanoseconds
    _Atomic int64_t offset;    // nanoseconds the wall clock is off now
    _Atomic uint64_t clock_reads;
    _Atomic uint64_t calls;    // of whatever class
    _Atomic uint64_t reserved[3];
    struct entry trace[TRACE_LENGTH];
};

// ---- Text, written out: a sanitizer has interceptors of its own for the library's

static size_t length_of(const char *text) {
    size_t length = 0;
    while (text[length]) length++;
    return length;
}

// Copies what fits and ends it; returns the end.
static char *copy(char *to, const char *from, size_t size) {
    while (size > 1 && *from) *to++ = *from++, size--;
    *to = 0;
    return to;
}

static int begins_with(const char *text, const char *start) {
    while (*start)
        if (*text++ != *start++) return 0;
    return 1;
}

static int equal(const char *one, const char *other) {
    return begins_with(one, other) && length_of(one) == length_of(other);
}

// ---- Set-up

static _Atomic(struct page *) page;
static char root[256];
static size_t root_length;

static void set_up(void) {
    static _Atomic int begun;
    if (atomic_exchange(&begun, 1)) return;
    const char *path = getenv("FAULT_PAGE"), *directory = getenv("FAULT_ROOT");
    if (!path || !directory || length_of(directory) >= sizeof root) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    long map = syscall(SYS_mmap, 0, sizeof(struct page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map == -1) return;
    copy(root, directory, sizeof root);
    root_length = length_of(root);
    atomic_store(&page, (struct page *)map);
}

__attribute__((constructor)) static void at_load(void) { set_up(); }

// ---- What a call is about

// The part of a path below the root, or NULL.
static const char *below(const char *path) {
    if (!begins_with(path, root) || path[root_length] != '/') return NULL;
    return path + root_length + 1;
}

static const char *name_of(int fd, char *room, size_t size) {
    char link[40];
    room[0] = 0;
    char *at = copy(link, "/proc/self/fd/", sizeof link), digits[12];
    int n = 0;
    unsigned value = (unsigned)fd;
    do digits[n++] = (char)('0' + value % 10);
    while (value /= 10);
    while (n) *at++ = digits[--n];
    *at = 0;
    long length = syscall(SYS_readlinkat, AT_FDCWD, link, room, size - 1);
    if (length <= 0) return NULL;
    room[length] = 0;
    return below(room);
}

// The name of `path` seen from `directory`, or NULL when it is not below the root.
static const char *name_at(int directory, const char *path, char *room, size_t size) {
    if (path[0] == '/') {
        copy(room, path, size);
        return below(room);
    }
    if (directory == AT_FDCWD || !name_of(directory, room, size)) {
        // The root itself has no name below the root.
        if (directory == AT_FDCWD || !equal(room, root)) return NULL;
    }
    size_t length = length_of(room);
    if (length + 1 + length_of(path) >= size) return NULL;
    room[length] = '/';
    copy(room + length + 1, path, size - length - 1);
    return below(room);
}

// ---- The decision

struct verdict {
    enum mode mode;
    int error;
    struct entry *entry;
};

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) syscall(SYS_pause);
}

// Counts the call; what it returns is to be done. Dies here when it is to die before the call.
static struct verdict decide(enum class class, const char *call, const char *name) {
    struct verdict verdict = {COUNT, 0, NULL};
    struct page *p = atomic_load(&page);
    uint64_t number = atomic_fetch_add(&p->calls, 1);
    if (number < TRACE_LENGTH) {
        struct entry *entry = &p->trace[number];
        entry->class = class;
        copy(entry->call, call, sizeof entry->call);
        size_t length = length_of(name), fits = NAME_LENGTH - 1;
        copy(entry->name, length <= fits ? name : name + length - fits, NAME_LENGTH);
        verdict.entry = entry;
    }
    if (number + 1 == atomic_load(&p->jump_at)) atomic_fetch_add(&p->offset, atomic_load(&p->jump));
    if (!(atomic_load(&p->classes) & class)) return verdict;
    uint64_t seen = atomic_fetch_add(&p->seen, 1) + 1;
    enum mode mode = atomic_load(&p->mode);
    if (mode == COUNT || seen < atomic_load(&p->first) || seen > atomic_load(&p->last)) return verdict;
    atomic_fetch_add(&p->hits, 1);
    if (mode == KILL_BEFORE) die();
    // A disk that is full in the middle of a write is full at the next one.
    verdict.mode = mode == SHORT && seen > atomic_load(&p->first) ? FAIL : mode;
    verdict.error = atomic_load(&p->error);
    return verdict;
}

static long conclude(struct verdict verdict, long result) {
    if (verdict.mode == KILL_AFTER) die();
    return result;
}

static long refuse(struct verdict verdict) {
    if (verdict.entry) verdict.entry->failed = (uint32_t)verdict.error;
    errno = verdict.error;
    return -1;
}

static int fails(struct verdict verdict) { return verdict.mode == FAIL || verdict.mode == SHORT; }

// Whether calls count at all, for a descriptor or a path.
#define WATCHED(expression)                            \
    char room[1024];                                   \
    set_up();                                          \
    const char *name = atomic_load(&page) ? (expression) : NULL

// ---- Writing

static long written(struct verdict verdict, size_t count, long (*call)(void *, size_t), void *context) {
    if (verdict.mode == FAIL) return refuse(verdict);
    // Half of it, as a disk does that is full in the middle of a write.
    if (verdict.mode == SHORT) {
        if (count < 2) return refuse(verdict);
        if (verdict.entry) verdict.entry->failed = (uint32_t)-(int32_t)(count / 2);
        return call(context, count / 2);
    }
    return conclude(verdict, call(context, count));
}

struct writing {
    int fd;
    const void *bytes;
    off64_t offset;
};

static long call_write(void *context, size_t count) {
    struct writing *w = context;
    return syscall(SYS_write, w->fd, w->bytes, count);
}

static long call_pwrite(void *context, size_t count) {
    struct writing *w = context;
    return syscall(SYS_pwrite64, w->fd, w->bytes, count, w->offset);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    struct writing w = {fd, bytes, 0};
    WATCHED(name_of(fd, room, sizeof room));
    if (!name) return call_write(&w, count);
    return written(decide(WRITE, "write", name), count, call_write, &w);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset) {
    struct writing w = {fd, bytes, offset};
    WATCHED(name_of(fd, room, sizeof room));
    if (!name) return call_pwrite(&w, count);
    return written(decide(WRITE, "pwrite", name), count, call_pwrite, &w);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return pwrite64(fd, bytes, count, offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    WATCHED(name_of(fd, room, sizeof room));
    if (!name) return syscall(SYS_writev, fd, parts, count);
    struct verdict verdict = decide(WRITE, "writev", name);
    if (fails(verdict)) return refuse(verdict);
    return conclude(verdict, syscall(SYS_writev, fd, parts, count));
}

// ---- Sizes

int ftruncate64(int fd, off64_t length) {
    WATCHED(name_of(fd, room, sizeof room));
    if (!name) return (int)syscall(SYS_ftruncate, fd, length);
    struct verdict verdict = decide(RESIZE, "ftruncate", name);
    if (fails(verdict)) return (int)refuse(verdict);
    return (int)conclude(verdict, syscall(SYS_ftruncate, fd, length));
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

// ---- Syncing

static int synced(int fd, long number, const char *call) {
    WATCHED(name_of(fd, room, sizeof room));
    // The root directory's own fsync counts too: it makes the names in it durable.
    if (!name && atomic_load(&page) && equal(room, root)) name = ".";
    if (!name) return (int)syscall(number, fd);
    struct verdict verdict = decide(SYNC, call, name);
    if (fails(verdict)) return (int)refuse(verdict);
    return (int)conclude(verdict, syscall(number, fd));
}

int fsync(int fd) { return synced(fd, SYS_fsync, "fsync"); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync, "fdatasync"); }

// ---- Names

#define NAMED(call, expression, ...)                                                       \
    WATCHED(expression);                                                                   \
    if (!name) return (int)syscall(__VA_ARGS__);                                           \
    struct verdict verdict = decide(NAME, call, name);                                     \
    if (fails(verdict)) return (int)refuse(verdict);                                       \
    return (int)conclude(verdict, syscall(__VA_ARGS__))

int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
    NAMED("rename", name_at(to, new, room, sizeof room), SYS_renameat2, from, old, to, new, flags);
}
int renameat(int from, const char *old, int to, const char *new) { return renameat2(from, old, to, new, 0); }
int rename(const char *old, const char *new) { return renameat2(AT_FDCWD, old, AT_FDCWD, new, 0); }

int unlinkat(int directory, const char *path, int flags) {
    NAMED("unlink", name_at(directory, path, room, sizeof room), SYS_unlinkat, directory, path, flags);
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }

int mkdirat(int directory, const char *path, mode_t mode) {
    NAMED("mkdir", name_at(directory, path, room, sizeof room), SYS_mkdirat, directory, path, mode);
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

// ---- The wall clock

static int64_t offset(void) {
    set_up();
    struct page *p = atomic_load(&page);
    if (!p) return 0;
    atomic_fetch_add(&p->clock_reads, 1);
    return atomic_load(&p->offset);
}

static void wall(struct timespec *time) {
    syscall(SYS_clock_gettime, CLOCK_REALTIME, time);
    int64_t by = offset();
    int64_t nanoseconds = time->tv_nsec + by % 1000000000;
    time->tv_sec += by / 1000000000 + (nanoseconds >= 1000000000) - (nanoseconds < 0);
    time->tv_nsec = nanoseconds + (nanoseconds < 0) * 1000000000L - (nanoseconds >= 1000000000) * 1000000000L;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    if (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)
        return (int)syscall(SYS_clock_gettime, clock, time);
    wall(time);
    return 0;
}

int gettimeofday(struct timeval *restrict result, void *restrict zone) {
    (void)zone;
    struct timespec now;
    wall(&now);
    *result = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    wall(&now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}
