/* SPDX-License-Identifier: Apache-2.0 */
/*
 * owner: the program that uses a device, as a VMM would. It opens an mtty through the cdev and iommufd, keeps a
 * nonce in its registers, and gives the device to ferryd or collects it from there (ferry_workload.h).
 *
 *   owner flags DEVICE                  the migration flags, or the name of the errno
 *   owner set DEVICE STATE              open, SET the state with that number, close
 *   owner write DEVICE NONCE            open, write, close
 *   owner read DEVICE                   open, print the nonce, close
 *   owner dup DEVICE NONCE              write, close the first descriptor, print what a duplicate reads
 *   owner hold DEVICE                   open, say so, keep it until killed
 *   owner give SOCKET DEVICE NONCE      open, write, hand over; prints the session
 *   owner collect SOCKET SESSION        take over; prints the nonce
 *
 * DEVICE is an id of Ferry: mdev-<uuid> or pci-<address>. NONCE is 16 hexadecimal digits.
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
    int iommufd;
    uint32_t ioas_id;
};

/* ---- the device ---- */

static int open_cdev(const char *id)
{
    char directory[256], path[512] = "";
    if (!strncmp(id, "mdev-", 5))
        snprintf(directory, sizeof directory, "/sys/bus/mdev/devices/%s/vfio-dev", id + 5);
    else if (!strncmp(id, "pci-", 4))
        snprintf(directory, sizeof directory, "/sys/bus/pci/devices/%s/vfio-dev", id + 4);
    else
        errx(2, "not a device id: %s", id);

    DIR *entries = opendir(directory);
    if (!entries)
        err(1, "%s", directory);
    for (struct dirent *e; (e = readdir(entries));)
        if (!strncmp(e->d_name, "vfio", 4))
            snprintf(path, sizeof path, "/dev/vfio/devices/%s", e->d_name);
    closedir(entries);

    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        err(1, "open %s", path);
    return fd;
}

static struct device open_device(const char *id)
{
    struct device device = {.fd = open_cdev(id), .iommufd = open("/dev/iommu", O_RDWR | O_CLOEXEC)};
    if (device.iommufd < 0)
        err(1, "open /dev/iommu");

    struct vfio_device_bind_iommufd bind = {.argsz = sizeof bind, .iommufd = device.iommufd};
    if (ioctl(device.fd, VFIO_DEVICE_BIND_IOMMUFD, &bind))
        err(1, "BIND_IOMMUFD");
    struct iommu_ioas_alloc alloc = {.size = sizeof alloc};
    if (ioctl(device.iommufd, IOMMU_IOAS_ALLOC, &alloc))
        err(1, "IOAS_ALLOC");
    device.ioas_id = alloc.out_ioas_id;
    struct vfio_device_attach_iommufd_pt attach = {.argsz = sizeof attach, .pt_id = alloc.out_ioas_id};
    if (ioctl(device.fd, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &attach))
        err(1, "ATTACH_IOMMUFD_PT");
    return device;
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

/* Sends a request, with two descriptors if `device` is given; returns the reply, with two in `received` if asked. */
static struct ferry_workload_reply call(int socket, struct ferry_workload_request *request,
                                        const struct device *device, int received[2])
{
    union { char bytes[CMSG_SPACE(2 * sizeof(int))]; struct cmsghdr align; } control = {0};
    struct iovec part = {.iov_base = request, .iov_len = sizeof *request};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    request->magic = FERRY_WORKLOAD_MAGIC;
    request->version = FERRY_WORKLOAD_VERSION;
    if (device) {
        message.msg_control = control.bytes;
        message.msg_controllen = sizeof control.bytes;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(2 * sizeof(int));
        memcpy(CMSG_DATA(header), (int[2]){device->fd, device->iommufd}, 2 * sizeof(int));
    }
    if (sendmsg(socket, &message, MSG_NOSIGNAL) != sizeof *request)
        err(1, "sendmsg");

    struct ferry_workload_reply reply = {0};
    part = (struct iovec){.iov_base = &reply, .iov_len = sizeof reply};
    message = (struct msghdr){.msg_iov = &part, .msg_iovlen = 1,
                              .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t length = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    if (length < 0)
        err(1, "recvmsg");
    if (length != sizeof reply || reply.magic != FERRY_WORKLOAD_MAGIC)
        errx(1, "not a reply: %zd bytes, magic %08x", length, reply.magic);
    if (reply.status != FERRY_WORKLOAD_OK)
        errx(1, "refused: status %u, %s: %s", reply.status, reply.code, reply.detail);
    if (received) {
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(2 * sizeof(int)))
            errx(1, "the reply carries no two descriptors");
        memcpy(received, CMSG_DATA(header), 2 * sizeof(int));
    }
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
    struct ferry_workload_request request = {.call = FERRY_WORKLOAD_ADOPT, .page_table_id = device.ioas_id};
    copy_name(request.device, sizeof request.device, id);
    struct ferry_workload_reply reply = call(connect_to(socket), &request, &device, NULL);
    printf("%s\n", reply.session);
}

static void collect(const char *socket_path, const char *session)
{
    int socket = connect_to(socket_path), received[2];
    struct ferry_workload_request request = {.call = FERRY_WORKLOAD_COLLECT};
    copy_name(request.session, sizeof request.session, session);
    call(socket, &request, NULL, received);
    request.call = FERRY_WORKLOAD_CONFIRM;
    call(socket, &request, NULL, NULL);
    /* Only now is this process the only holder: what it reads survived ferryd's letting go. */
    print_nonce(received[0]);
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
        close(device.iommufd);
        print_nonce(duplicate);
    } else if (!strcmp(command, "hold") && argc == 3) {
        open_device(argv[2]);
        puts("holding");
        for (;;)
            pause();
    } else if (!strcmp(command, "give") && argc == 5) {
        give(argv[2], argv[3], argv[4]);
    } else if (!strcmp(command, "collect") && argc == 4) {
        collect(argv[2], argv[3]);
    } else {
        errx(2, "usage: owner flags|set|write|read|dup|hold|give|collect ...");
    }
    return 0;
}
