/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FERRY_WORKLOAD_H
#define FERRY_WORKLOAD_H

/*
 * How a program on the host hands its open VFIO device to ferryd and collects one from it.
 *
 * Connect a SOCK_SEQPACKET socket to ferryd's workload socket (<state-directory>/workload.sock).
 * Each packet is one struct below, in host byte order. Descriptors travel beside the packet as
 * SCM_RIGHTS, in this order:
 *
 *   path CDEV    the device's character device, bound; its iommufd
 *   path GROUP   the device's VFIO group; the container the group is in. There is no device among
 *                them, because nothing could tell whose it is: each side gets a file of its own by
 *                VFIO_GROUP_GET_DEVICE_FD, and the device stays open while one of them is.
 *
 *   ADOPT    request + 2 descriptors   ->  reply; on OK ferryd holds the device, and the caller may
 *                                          close all it has.
 *   COLLECT  request                   ->  reply; on OK + 2 descriptors, by the path in the reply.
 *                                          ferryd keeps its own until the caller sends CONFIRM, so
 *                                          a caller that dies in between loses nothing. On the path
 *                                          GROUP get the device from the group before CONFIRM.
 *   CONFIRM  request (same session)    ->  reply; the session has ended, the caller is the holder.
 *
 * A sidecar is what the program wants kept beside the device's state: configuration space, the layout
 * of interrupts and DMA mappings, anything of its own. It goes where the content goes: into the image
 * of a save, to the target of a restore or migrate. Its bytes follow the struct in the same packet; a
 * packet that ends with its struct has none.
 *
 *   PUT_SIDECAR  request + bytes       ->  reply; on OK the session has these bytes in place of those
 *                                          before. At most FERRY_WORKLOAD_SIDECAR_LIMIT; no bytes take
 *                                          the sidecar away.
 *   GET_SIDECAR  request               ->  reply + bytes; also between COLLECT and CONFIRM, which ends
 *                                          the session and its sidecar. Read with room for
 *                                          sizeof(struct ferry_workload_reply) and the limit.
 *
 * Both are refused with device-busy while a job has the device.
 *
 * A reply has the version and the layout of its request. Version 1 ends before the field `path`,
 * and knows the path CDEV only. A packet of a version that ferryd does not speak, or of none, is
 * answered in the layout of version 1: with the status FERRY_WORKLOAD_VERSION_UNKNOWN and the newest
 * version ferryd speaks, or with FERRY_WORKLOAD_BAD_REQUEST.
 */

#include <stddef.h>
#include <stdint.h>

#define FERRY_WORKLOAD_MAGIC 0x59525246u /* "FRRY" */
#define FERRY_WORKLOAD_VERSION 2u

enum ferry_workload_call {
    FERRY_WORKLOAD_ADOPT = 1,
    FERRY_WORKLOAD_COLLECT = 2,
    FERRY_WORKLOAD_CONFIRM = 3,
    FERRY_WORKLOAD_PUT_SIDECAR = 4,
    FERRY_WORKLOAD_GET_SIDECAR = 5,
};

/* Most bytes of a sidecar. */
#define FERRY_WORKLOAD_SIDECAR_LIMIT 65536u

enum ferry_workload_status {
    FERRY_WORKLOAD_OK = 0,
    FERRY_WORKLOAD_VERSION_UNKNOWN = 1,
    FERRY_WORKLOAD_BAD_REQUEST = 2,
    FERRY_WORKLOAD_REFUSED = 3,
};

enum ferry_workload_path {
    FERRY_WORKLOAD_CDEV = 0,
    FERRY_WORKLOAD_GROUP = 1,
};

/* No page table: the device is bound but attached to nothing, or was opened by its group. */
#define FERRY_WORKLOAD_NO_PAGE_TABLE 0u

struct ferry_workload_request {
    uint32_t magic;
    uint32_t version;
    uint32_t call;
    uint32_t page_table_id; /* ADOPT: the IOAS or HWPT the device is attached to, or 0 */
    char device[128];       /* ADOPT: the device id, NUL-terminated: "mdev-<uuid>" */
    char session[128];      /* all but ADOPT: the session id, NUL-terminated */
    /* from version 2 on */
    uint32_t path;          /* ADOPT: which descriptors come with the packet */
    uint32_t reserved;      /* 0 */
};

struct ferry_workload_reply {
    uint32_t magic;
    uint32_t version;
    uint32_t status;
    uint32_t page_table_id; /* COLLECT: as in the request */
    char session[128];      /* NUL-terminated */
    char code[64];          /* REFUSED: the problem's code, NUL-terminated: "device-busy" */
    char detail[512];       /* a sentence for a person, NUL-terminated */
    /* from version 2 on */
    uint32_t path;          /* COLLECT: which descriptors come with the packet */
    uint32_t reserved;      /* 0 */
};

/* What version 1 has of them. */
#define FERRY_WORKLOAD_REQUEST_SIZE_1 272u
#define FERRY_WORKLOAD_REPLY_SIZE_1 720u

_Static_assert(sizeof(struct ferry_workload_request) == 280, "wire format");
_Static_assert(sizeof(struct ferry_workload_reply) == 728, "wire format");
_Static_assert(offsetof(struct ferry_workload_request, path) == FERRY_WORKLOAD_REQUEST_SIZE_1,
               "wire format");
_Static_assert(offsetof(struct ferry_workload_reply, path) == FERRY_WORKLOAD_REPLY_SIZE_1,
               "wire format");

#endif
