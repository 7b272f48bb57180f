/* Does by hand, in C, the work that Ferry does when it moves the state of a simulated device: what
 * Ferry's speed is measured against.
 *
 *     c-pump save BYTES SEED DIRECTORY      device → image
 *     c-pump restore BYTES SEED DIRECTORY   image → device
 *     c-pump migrate BYTES SEED             device → device
 *
 * BYTES is the state of the device in multiples of 64 KiB. Prints the nanoseconds from its first
 * byte to its last fsync.
 *
 * The work is the same, step by step:
 *
 *  - The device is the `mlx5` profile of SimulatedDevices: a stream of records, each of a header of
 *    16 bytes, a page number of 8 and a page of 64 KiB, before them a match header and a hint of
 *    the size. So as many bytes move, cut in the same places. Every word of every page is made by
 *    the arithmetic of PagePattern.fill, and on the other side every word is compared with what it
 *    should be by that of PageReader.takeWords; the keys of the pages are kept there. (What a real
 *    device would do in hardware both sides do here alike.)
 *  - One read moves at most 1 MiB into one buffer that is used again: StreamPump.chunkByteCount.
 *  - SHA-256 is GnuTLS's, fed by chunks of that size, as often as Ferry does it:
 *      save      once: of what was read of the device (StreamPump.read)
 *      restore   three times: the whole file before a byte reaches the device (ImageReader.verify),
 *                then of what was read of it, and of what the device took (StreamSink.accepted)
 *      migrate   twice: of what was read, and of what the target took
 *    and where Ferry compares two of them they are compared here.
 *  - A save makes a directory, writes the content and a manifest in it, fsyncs both and the
 *    directory, renames it and fsyncs the parent, as ImageWriter.seal does.
 *  - All is done by one thread, as a job of one device has one worker.
 *
 * What Ferry does beside this is its own: the API, the journal, the limits, the progress.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    chunk_size = 1 << 20,
    page_size = 1 << 16,
    header_size = 16,
    number_size = 8,
    page_words = page_size / 8,
};

static void die(const char *what)
{
    fprintf(stderr, "c-pump: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void require(int is_true, const char *what)
{
    if (is_true) return;
    fprintf(stderr, "c-pump: %s\n", what);
    exit(1);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

/* ---- The pattern of a page (PagePattern) */

static uint64_t mix(uint64_t value)
{
    uint64_t mixed = value + 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

static inline uint64_t word(uint64_t index, uint64_t key)
{
    if (index == 0 || key == 0) return key;
    uint64_t mixed = (key + index * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;
    return mixed ^ (mixed >> 32);
}

/* ---- The device that is read (StateSource) */

struct source {
    uint64_t seed, page_count;
    /* The next page; the record's head and its page that are being read, and how far. */
    uint64_t next;
    unsigned char head[128];
    size_t head_size, head_done;
    uint64_t key;
    size_t page_done;
    int has_page;
};

static void put(unsigned char **at, const void *bytes, size_t size)
{
    memcpy(*at, bytes, size);
    *at += size;
}

static void put_header(unsigned char **at, uint64_t payload, uint32_t flags, uint32_t tag)
{
    put(at, &payload, 8);
    put(at, &flags, 4);
    put(at, &tag, 4);
}

static void begin_stream(struct source *source, uint64_t state, uint64_t seed)
{
    memset(source, 0, sizeof *source);
    source->seed = seed;
    source->page_count = state / page_size;
    unsigned char *at = source->head;
    uint64_t identity[3] = { 0x6d6c7835u, state, mix(0x6d6c7835u ^ state) };
    put_header(&at, sizeof identity, 0, 2);
    put(&at, identity, sizeof identity);
    put_header(&at, 8, 1, 1);
    put(&at, &state, 8);
    source->head_size = (size_t)(at - source->head);
}

static void begin_page(struct source *source)
{
    uint64_t number = source->next++;
    unsigned char *at = source->head;
    put_header(&at, number_size + page_size, 0, 0);
    put(&at, &number, number_size);
    source->head_size = header_size + number_size;
    source->head_done = 0;
    source->key = mix(source->seed ^ mix(number)) | 1;
    source->page_done = 0;
    source->has_page = 1;
}

static size_t read_device(struct source *source, unsigned char *buffer, size_t limit)
{
    size_t done = 0;
    while (done < limit) {
        if (source->head_done < source->head_size) {
            size_t count = source->head_size - source->head_done;
            if (count > limit - done) count = limit - done;
            memcpy(buffer + done, source->head + source->head_done, count);
            source->head_done += count;
            done += count;
        } else if (source->has_page) {
            size_t count = page_size - source->page_done;
            if (count > limit - done) count = limit - done;
            /* Everything of a record is a multiple of a word, so words are never cut. */
            uint64_t *words = (uint64_t *)(void *)(buffer + done);
            uint64_t key = source->key, index = source->page_done / 8;
            for (size_t place = 0; place < count / 8; place++) words[place] = word(index++, key);
            source->page_done += count;
            source->has_page = source->page_done < page_size;
            done += count;
        } else if (source->next < source->page_count) {
            begin_page(source);
        } else {
            break;
        }
    }
    return done;
}

/* ---- The device that is written (StateLoader, PageReader) */

struct loader {
    uint64_t page_count;
    uint64_t *keys;
    unsigned char collected[64];
    size_t collected_size;
    enum { at_header, at_identity, at_hint, at_number, at_page } phase;
    uint64_t page, key, differences, differences_by_place, loaded;
    size_t page_done;
};

static void begin_load(struct loader *loader, uint64_t state)
{
    memset(loader, 0, sizeof *loader);
    loader->page_count = state / page_size;
    loader->keys = calloc(loader->page_count, sizeof *loader->keys);
    require(loader->keys != NULL, "no memory");
}

/* Collects a small part; true when it is whole. */
static int collect(struct loader *loader, size_t size, const unsigned char **at, size_t *rest)
{
    size_t count = size - loader->collected_size;
    if (count > *rest) count = *rest;
    memcpy(loader->collected + loader->collected_size, *at, count);
    loader->collected_size += count;
    *at += count;
    *rest -= count;
    if (loader->collected_size < size) return 0;
    loader->collected_size = 0;
    return 1;
}

static void did_read_header(struct loader *loader)
{
    uint32_t tag;
    memcpy(&tag, loader->collected + 12, 4);
    require(tag <= 2, "a record nobody knows");
    loader->phase = tag == 2 ? at_identity : tag == 1 ? at_hint : at_number;
}

static void did_read_number(struct loader *loader)
{
    memcpy(&loader->page, loader->collected, 8);
    require(loader->page < loader->page_count, "a page there is not");
    loader->phase = at_page;
    loader->page_done = 0;
    loader->differences = loader->differences_by_place = 0;
}

static void take_words(struct loader *loader, const unsigned char *bytes, size_t size)
{
    const uint64_t *words = (const uint64_t *)(const void *)bytes;
    uint64_t index = loader->page_done / 8;
    size_t place = 0, count = size / 8;
    if (index == 0 && count > 0) {
        loader->key = words[0];
        index = 1;
        place = 1;
    }
    uint64_t key = loader->key;
    uint64_t all = loader->differences, by_place = loader->differences_by_place;
    for (; place < count; place++) {
        uint64_t difference = words[place] ^ word(index, key);
        all |= difference;
        by_place += difference * (2 * index + 1);
        index++;
    }
    loader->differences = all;
    loader->differences_by_place = by_place;
    loader->page_done += size;
}

static void did_read_page(struct loader *loader)
{
    require(loader->differences == 0 && loader->differences_by_place == 0, "a corrupt page");
    loader->keys[loader->page] = loader->key;
    loader->loaded++;
    loader->phase = at_header;
}

static void write_device(struct loader *loader, const unsigned char *at, size_t rest)
{
    while (rest > 0) {
        switch (loader->phase) {
        case at_header:
            if (collect(loader, header_size, &at, &rest)) did_read_header(loader);
            break;
        case at_identity:
            if (collect(loader, 24, &at, &rest)) loader->phase = at_header;
            break;
        case at_hint:
            if (collect(loader, 8, &at, &rest)) loader->phase = at_header;
            break;
        case at_number:
            if (collect(loader, number_size, &at, &rest)) did_read_number(loader);
            break;
        case at_page: {
            size_t count = page_size - loader->page_done;
            if (count > rest) count = rest;
            take_words(loader, at, count);
            at += count;
            rest -= count;
            if (loader->page_done == page_size) did_read_page(loader);
            break;
        }
        }
    }
}

/* ---- Digests */

static gnutls_hash_hd_t begin_digest(void)
{
    gnutls_hash_hd_t digest;
    require(gnutls_hash_init(&digest, GNUTLS_DIG_SHA256) == 0, "no SHA-256");
    return digest;
}

static void add(gnutls_hash_hd_t digest, const void *bytes, size_t size)
{
    require(gnutls_hash(digest, bytes, size) == 0, "SHA-256 failed");
}

/* ---- Files */

static void write_all(int file, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = write(file, bytes, size);
        if (count <= 0) die("write");
        bytes += count;
        size -= (size_t)count;
    }
}

static void synchronize(int file)
{
    if (fsync(file) != 0) die("fsync");
}

static int open_below(const char *directory, const char *name, int flags)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    int file = open(path, flags | O_CLOEXEC, 0600);
    if (file < 0) die(path);
    return file;
}

static size_t read_file(int file, unsigned char *buffer)
{
    ssize_t count = read(file, buffer, chunk_size);
    if (count < 0) die("read");
    return (size_t)count;
}

/* ---- The three kinds of work */

static void save(uint64_t state, uint64_t seed, const char *directory, unsigned char *buffer)
{
    char partial[4096], parent[4128];
    snprintf(partial, sizeof partial, "%s.partial", directory);
    snprintf(parent, sizeof parent, "%s/..", partial);
    if (mkdir(partial, 0700) != 0) die(partial);
    int content = open_below(partial, "content", O_WRONLY | O_CREAT | O_EXCL);
    struct source source;
    begin_stream(&source, state, seed);
    gnutls_hash_hd_t digest = begin_digest();
    size_t count;
    while ((count = read_device(&source, buffer, chunk_size)) > 0) {
        add(digest, buffer, count);
        write_all(content, buffer, count);
    }
    unsigned char sum[32];
    gnutls_hash_deinit(digest, sum);
    synchronize(content);
    int manifest = open_below(partial, "manifest", O_WRONLY | O_CREAT | O_EXCL);
    write_all(manifest, sum, sizeof sum);
    synchronize(manifest);
    int folder = open(partial, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int above = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0 || above < 0) die("open");
    synchronize(folder);
    if (rename(partial, directory) != 0) die("rename");
    synchronize(above);
    close(content);
    close(manifest);
    close(folder);
    close(above);
}

static void restore(uint64_t state, const char *directory, unsigned char *buffer)
{
    unsigned char saved[32], verified[32], sent[32], taken[32];
    int manifest = open_below(directory, "manifest", O_RDONLY);
    require(read(manifest, saved, sizeof saved) == sizeof saved, "the manifest is short");
    close(manifest);
    int content = open_below(directory, "content", O_RDONLY);
    gnutls_hash_hd_t digest = begin_digest();
    size_t count;
    while ((count = read_file(content, buffer)) > 0) add(digest, buffer, count);
    gnutls_hash_deinit(digest, verified);
    require(memcmp(saved, verified, sizeof saved) == 0, "the image is corrupt");
    if (lseek(content, 0, SEEK_SET) != 0) die("lseek");
    struct loader loader;
    begin_load(&loader, state);
    gnutls_hash_hd_t source = begin_digest(), target = begin_digest();
    while ((count = read_file(content, buffer)) > 0) {
        add(source, buffer, count);
        write_device(&loader, buffer, count);
        add(target, buffer, count);
    }
    gnutls_hash_deinit(source, sent);
    gnutls_hash_deinit(target, taken);
    require(memcmp(sent, taken, sizeof sent) == 0 && memcmp(sent, saved, sizeof sent) == 0,
            "what arrived differs");
    require(loader.loaded == loader.page_count, "pages are missing");
    close(content);
}

static void migrate(uint64_t state, uint64_t seed, unsigned char *buffer)
{
    unsigned char sent[32], taken[32];
    struct source source;
    struct loader loader;
    begin_stream(&source, state, seed);
    begin_load(&loader, state);
    gnutls_hash_hd_t read = begin_digest(), accepted = begin_digest();
    size_t count;
    while ((count = read_device(&source, buffer, chunk_size)) > 0) {
        add(read, buffer, count);
        write_device(&loader, buffer, count);
        add(accepted, buffer, count);
    }
    gnutls_hash_deinit(read, sent);
    gnutls_hash_deinit(accepted, taken);
    require(memcmp(sent, taken, sizeof sent) == 0, "what arrived differs");
    require(loader.loaded == loader.page_count, "pages are missing");
}

int main(int argument_count, char **arguments)
{
    require(argument_count >= 4, "usage: c-pump save|restore|migrate BYTES SEED [DIRECTORY]");
    const char *kind = arguments[1], *directory = argument_count > 4 ? arguments[4] : NULL;
    uint64_t state = strtoull(arguments[2], NULL, 10), seed = strtoull(arguments[3], NULL, 10);
    require(state > 0 && state % page_size == 0, "BYTES must be a multiple of 64 KiB");
    unsigned char *buffer = aligned_alloc(4096, chunk_size);
    require(buffer != NULL, "no memory");
    uint64_t start = now();
    if (strcmp(kind, "migrate") == 0) {
        migrate(state, seed, buffer);
    } else {
        require(directory != NULL, "the image's directory is missing");
        if (strcmp(kind, "save") == 0)
            save(state, seed, directory, buffer);
        else
            restore(state, directory, buffer);
    }
    printf("%llu\n", (unsigned long long)(now() - start));
    return 0;
}
