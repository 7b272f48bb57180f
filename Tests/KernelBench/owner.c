/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner: the program that uses a device, as a VMM would. It opens an mtty through the cdev and iommufd, or through its
 * group and a container, keeps a nonce in its registers, and gives the device to ferryd or collects it from there
 * (ferry_workload.h).
 *
 *   owner flags DEVICE                     the migration flags, or the name of the errno
 *   owner set DEVICE STATE                 open, SET the state with that number, close
 *   owner write DEVICE NONCE               open, write, close
 *   owner read DEVICE                      open, print the nonce, close
 *   owner dup DEVICE NONCE                 write, close the first descriptors, print what a duplicate reads
 *   owner hold DEVICE                      open, say so, keep it until killed
 *   owner give SOCKET DEVICE NONCE         open, write, hand over; prints the session
 *   owner collect SOCKET SESSION DEVICE    take over; prints the nonce
 *   owner collect-1 SOCKET SESSION         ask in version 1 of the protocol; prints the code of the refusal
 *
 * DEVICE is an id of Ferry: mdev-<uuid> or pci-<address>. NONCE is 16 hexadecimal digits. Devices are opened by their
 * group where the kernel has no iommufd, or when the environment says OWNER_PATH=group.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/iommufd.h>
#include <linux/serial_reg.h>
#include <linux/vfio.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "ferry_workload.h"

struct device {
    int fd;
    int second; /* the iommufd, or the container */
    int group;  /* -1: opened by its cdev */
    uint32_t ioas_id;
};

/* ---- the device ---- */

static int open_node(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        err(1, "open %s", path);
    return fd;
}

/* The kernel's name of a device of Ferry's: an address or a uuid. */
static const char *kernel_name(const char *id)
{
    if (!strncmp(id, "mdev-", 5))
        return id + 5;
    if (!strncmp(id, "pci-", 4))
        return id + 4;
    errx(2, "not a device id: %s", id);
}

static void sysfs_path(char *path, size_t size, const char *id, const char *name)
{
    const char *bus = id[0] == 'm' ? "mdev" : "pci";
    if (snprintf(path, size, "/sys/bus/%s/devices/%s/%s", bus, kernel_name(id), name) >= (int)size)
        errx(2, "not a device id: %s", id);
}

static int open_cdev(const char *id)
{
    char directory[256], path[512] = "";
    sysfs_path(directory, sizeof directory, id, "vfio-dev");
    DIR *entries = opendir(directory);
    if (!entries)
        err(1, "%s", directory);
    for (struct dirent *e; (e = readdir(entries));)
        if (!strncmp(e->d_name, "vfio", 4))
            snprintf(path, sizeof path, "/dev/vfio/devices/%s", e->d_name);
    closedir(entries);
    return open_node(path);
}

static struct device open_by_cdev(const char *id)
{
    struct device device = {.fd = open_cdev(id), .second = open_node("/dev/iommu"), .group = -1};
    struct vfio_device_bind_iommufd bind = {.argsz = sizeof bind, .iommufd = device.second};
    if (ioctl(device.fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
        err(1, "BIND_IOMMUFD");
    struct iommu_ioas_alloc alloc = {.size = sizeof alloc};
    if (ioctl(device.second, IOMMU_IOAS_ALLOC, &alloc))
        err(1, "IOAS_ALLOC");
    device.ioas_id = alloc.out_ioas_id;
    struct vfio_device_attach_iommufd_pt attach = {.argsz = sizeof attach, .pt_id = alloc.out_ioas_id};
    if (ioctl(device.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
        err(1, "ATTACH_IOMMUFD_PT");
    return device;
}

static int device_of_group(int group, const char *id)
{
    int fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, kernel_name(id));
    if (fd < 0)
        err(1, "GROUP_GET_DEVICE_FD %s", id);
    return fd;
}

static struct device open_by_group(const char *id)
{
    char link[256], target[256], path[64];
    sysfs_path(link, sizeof link, id, "iommu_group");
    ssize_t length = readlink(link, target, sizeof target - 1);
    if (length < 0)
        err(1, "%s", link);
    target[length] = 0;
    snprintf(path, sizeof path, "/dev/vfio/%.20s", strrchr(target, '/') + 1);

    struct device device = {.second = open_node("/dev/vfio/vfio"), .group = open_node(path)};
    struct vfio_group_status status = {.argsz = sizeof status};
    if (ioctl(device.group, VFIO_GROUP_GET_STATUS, &status))
        err(1, "GROUP_GET_STATUS");
    if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
        errx(1, "the group of %s is not viable", id);
    if (ioctl(device.group, VFIO_GROUP_SET_CONTAINER, &device.second))
        err(1, "GROUP_SET_CONTAINER");
    if (ioctl(device.second, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
        err(1, "SET_IOMMU");
    device.fd = device_of_group(device.group, id);
    return device;
}

static struct device open_device(const char *id)
{
    const char *path = getenv("OWNER_PATH");
    bool by_group = path ? !strcmp(path, "group") : access("/dev/iommu", F_OK) != 0;
    return by_group ? open_by_group(id) : open_by_cdev(id);
}

static void print_flags(int fd)
{
    uint64_t room[2] = {0}; /* the header is 8 bytes, the payload of MIGRATION is 8 more */
    struct vfio_device_feature *feature = (void *)room;
    feature->argsz = sizeof room;
    feature->flags = VFIO_DEVICE_FEATURE_GET | VFIO_DEVICE_FEATURE_MIGRATION;
    if (ioctl(fd, VFIO_DEVICE_FEATURE, feature))
        printf("%s\n", strerrorname_np(errno));
    else
        printf("%" PRIu64 "\n", room[1]);
}

static void set_state(int fd, uint32_t state)
{
    uint64_t room[2] = {0};
    struct vfio_device_feature *feature = (void *)room;
    struct vfio_device_feature_mig_state *payload = (void *)&room[1];
    feature->argsz = sizeof room;
    feature->flags = VFIO_DEVICE_FEATURE_SET | VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE;
    payload->device_state = state;
    if (ioctl(fd, VFIO_DEVICE_FEATURE, feature))
        err(1, "SET %u", state);
}

/* ---- the nonce: four bytes in each of the two ports ---- */

static const int registers[] = {UART_SCR, UART_MCR, UART_DLL, UART_DLM};
enum { PORTS = 2, BYTES_PER_PORT = 4 };

static off_t port_offset(int fd, unsigned port)
{
    struct vfio_region_info region = {.argsz = sizeof region, .index = VFIO_PCI_BAR0_REGION_INDEX + port};
    if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, &region))
        err(1, "GET_REGION_INFO %u", port);
    if (region.size < 8)
        errx(1, "port %u has %llu bytes of registers, not 8", port, (unsigned long long)region.size);
    return (off_t)region.offset;
}

static void write_register(int fd, off_t at, uint8_t value)
{
    if (pwrite(fd, &value, 1, at) != 1)
        err(1, "pwrite");
}

static void write_nonce(int fd, const char *text)
{
    char *end;
    uint64_t nonce = strtoull(text, &end, 16);
    if (strlen(text) != 2 * PORTS * BYTES_PER_PORT || *end)
        errx(2, "not a nonce of 16 hexadecimal digits: %s", text);
    for (unsigned port = 0; port < PORTS; port++) {
        off_t base = port_offset(fd, port);
        /* The divisor latch stays open: mtty clears the divisor whenever it is opened. */
        write_register(fd, base + UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
        for (int i = 0; i < BYTES_PER_PORT; i++, nonce >>= 8)
            write_register(fd, base + registers[i], (uint8_t)nonce);
    }
}

static void print_nonce(int fd)
{
    uint64_t nonce = 0;
    for (unsigned port = 0; port < PORTS; port++) {
        off_t base = port_offset(fd, port);
        for (int i = 0; i < BYTES_PER_PORT; i++) {
            uint8_t value = 0; /* mtty writes nothing when its receive buffer is empty */
            if (pread(fd, &value, 1, base + registers[i]) != 1)
                err(1, "pread");
            nonce |= (uint64_t)value << (8 * (port * BYTES_PER_PORT + i));
        }
    }
    printf("%016" PRIx64 "\n", nonce);
}

/* ---- ferryd ---- */

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        errx(2, "socket path too long: %s", path);
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        err(1, "connect %s", path);
    return fd;
}

static void send_request(int socket, struct ferry_workload_request *request, const struct device *device)
{
    union { char bytes[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr align; } control = {0};
    size_t size = request->version == 1 ? FERRY_WORKLOAD_REQUEST_SIZE_1 : sizeof *request;
    struct iovec part = {.iov_base = request, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (device) {
        int first = device->group < 0 ? device->fd : device->group;
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(2 * sizeof(int));
        memcpy(CMSG_DATA(header), (int[2]){first, device->second}, 2 * sizeof(int));
    }
    if (sendmsg(socket, &message, MSG_NOSIGNAL) != (ssize_t)size)
        err(1, "sendmsg");
}

/* Makes a call, with the descriptors of `device` if it is given; returns the reply, with two in `received` if asked. */
static struct ferry_workload_reply call(int socket, struct ferry_workload_request *request,
                                        const struct device *device, int received[2])
{
    union { char bytes[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr align; } control = {0};
    request->magic = FERRY_WORKLOAD_MAGIC;
    if (!request->version)
        request->version = FERRY_WORKLOAD_VERSION;
    send_request(socket, request, device);

    struct ferry_workload_reply reply = {0};
    size_t size = request->version == 1 ? FERRY_WORKLOAD_REPLY_SIZE_1 : sizeof reply;
    struct iovec part = {.iov_base = &reply, .iov_len = sizeof reply};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1,
                             .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0)
        err(1, "recvmsg");
    if (length != (ssize_t)size || reply.magic != FERRY_WORKLOAD_MAGIC || reply.version != request->version)
        errx(1, "not a reply: %zd bytes, magic %08x, version %u", length, reply.magic, reply.version);
    if (received && reply.status == FERRY_WORKLOAD_OK) {
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
            errx(1, "the reply carries no two descriptors");
        memcpy(received, CMSG_DATA(header), 2 * sizeof(int));
    }
    return reply;
}

static struct ferry_workload_reply call_ok(int socket, struct ferry_workload_request *request,
                                           const struct device *device, int received[2])
{
    struct ferry_workload_reply reply = call(socket, request, device, received);
    if (reply.status != FERRY_WORKLOAD_OK)
        errx(1, "refused: status %u, %s: %s", reply.status, reply.code, reply.detail);
    return reply;
}

static void copy_name(char *to, size_t size, const char *from)
{
    if (strlen(from) >= size)
        errx(2, "name too long: %s", from);
    strcpy(to, from);
}

static void give(const char *socket, const char *id, const char *nonce)
{
    struct device device = open_device(id);
    write_nonce(device.fd, nonce);
    struct ferry_workload_request request = {.call = FERRY_WORKLOAD_ADOPT, .page_table_id = device.ioas_id,
                                             .path = device.group < 0 ? FERRY_WORKLOAD_CDEV : FERRY_WORKLOAD_GROUP};
    copy_name(request.device, sizeof request.device, id);
    struct ferry_workload_reply reply = call_ok(connect_to(socket), &request, &device, NULL);
    printf("%s\n", reply.session);
}

static void collect(const char *socket_path, const char *session, const char *id)
{
    int socket = connect_to(socket_path), received[2];
    struct ferry_workload_request request = {.call = FERRY_WORKLOAD_COLLECT};
    copy_name(request.session, sizeof request.session, session);
    struct ferry_workload_reply reply = call_ok(socket, &request, NULL, received);
    /* Before ferryd lets go: else this would be a first open, and the content gone. */
    int fd = reply.path == FERRY_WORKLOAD_GROUP ? device_of_group(received[0], id) : received[0];
    request.call = FERRY_WORKLOAD_CONFIRM;
    call_ok(socket, &request, NULL, NULL);
    /* Only now is this process the only holder: what it reads survived ferryd's letting go. */
    print_nonce(fd);
}

static void collect_by_version_1(const char *socket_path, const char *session)
{
    struct ferry_workload_request request = {.version = 1, .call = FERRY_WORKLOAD_COLLECT};
    copy_name(request.session, sizeof request.session, session);
    struct ferry_workload_reply reply = call(connect_to(socket_path), &request, NULL, NULL);
    if (reply.status != FERRY_WORKLOAD_REFUSED)
        errx(1, "status %u", reply.status);
    printf("%s\n", reply.code);
}

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (!strcmp(command, "flags") && argc == 3) {
        print_flags(open_device(argv[2]).fd);
    } else if (!strcmp(command, "set") && argc == 4) {
        set_state(open_device(argv[2]).fd, (uint32_t)strtoul(argv[3], NULL, 10));
    } else if (!strcmp(command, "write") && argc == 4) {
        write_nonce(open_device(argv[2]).fd, argv[3]);
    } else if (!strcmp(command, "read") && argc == 3) {
        print_nonce(open_device(argv[2]).fd);
    } else if (!strcmp(command, "dup") && argc == 4) {
        struct device device = open_device(argv[2]);
        write_nonce(device.fd, argv[3]);
        int duplicate = dup(device.fd);
        close(device.fd);
        close(device.second);
        if (device.group >= 0)
            close(device.group);
        print_nonce(duplicate);
    } else if (!strcmp(command, "hold") && argc == 3) {
        open_device(argv[2]);
        puts("holding");
        for (;;)
            pause();
    } else if (!strcmp(command, "give") && argc == 5) {
        give(argv[2], argv[3], argv[4]);
    } else if (!strcmp(command, "collect") && argc == 5) {
        collect(argv[2], argv[3], argv[4]);
    } else if (!strcmp(command, "collect-1") && argc == 4) {
        collect_by_version_1(argv[2], argv[3]);
    } else {
        errx(2, "usage: owner flags|set|write|read|dup|hold|give|collect|collect-1 ...");
    }
    return 0;
}
