#ifndef FERRY_CVFIO_H
#define FERRY_CVFIO_H

/*
 * The part of the VFIO and iommufd uAPI that Ferry speaks, with the kernel's names behind a prefix.
 * The distribution's <linux/vfio.h> is older than the features used here, so it is not included;
 * cvfio.c asserts every size, offset and number.
 */

#include <stdint.h>

/* _IO(';', 100 + n) as literals, because Swift does not import _IO. No size, no direction bits. */
#define CVFIO_GET_API_VERSION 0x3b64UL /* on a container; the answer is CVFIO_API_VERSION */
#define CVFIO_CHECK_EXTENSION 0x3b65UL /* the argument is the number itself, no pointer */
#define CVFIO_SET_IOMMU 0x3b66UL       /* the argument is the number itself, no pointer */
#define CVFIO_GROUP_GET_STATUS 0x3b67UL
#define CVFIO_GROUP_SET_CONTAINER 0x3b68UL /* int32_t *: the container's descriptor */
#define CVFIO_GROUP_UNSET_CONTAINER 0x3b69UL
#define CVFIO_GROUP_GET_DEVICE_FD 0x3b6aUL /* const char *: the device's name */

#define CVFIO_DEVICE_GET_INFO 0x3b6bUL
#define CVFIO_DEVICE_GET_REGION_INFO 0x3b6cUL
#define CVFIO_DEVICE_GET_IRQ_INFO 0x3b6dUL
#define CVFIO_DEVICE_SET_IRQS 0x3b6eUL
#define CVFIO_DEVICE_RESET 0x3b6fUL
#define CVFIO_DEVICE_FEATURE 0x3b75UL
#define CVFIO_DEVICE_BIND_IOMMUFD 0x3b76UL
#define CVFIO_DEVICE_ATTACH_IOMMUFD_PT 0x3b77UL
#define CVFIO_DEVICE_DETACH_IOMMUFD_PT 0x3b78UL
#define CVFIO_MIG_GET_PRECOPY_INFO 0x3b79UL /* on the data_fd of a saving state */

#define CVFIO_IOMMU_DESTROY 0x3b80UL
#define CVFIO_IOMMU_IOAS_ALLOC 0x3b81UL
#define CVFIO_IOMMU_IOAS_IOVA_RANGES 0x3b84UL
#define CVFIO_IOMMU_IOAS_MAP 0x3b85UL
#define CVFIO_IOMMU_IOAS_UNMAP 0x3b86UL
#define CVFIO_IOMMU_HWPT_ALLOC 0x3b89UL
#define CVFIO_IOMMU_HWPT_SET_DIRTY_TRACKING 0x3b8bUL
#define CVFIO_IOMMU_HWPT_GET_DIRTY_BITMAP 0x3b8cUL

/* ---- containers and groups ---- */

#define CVFIO_API_VERSION 0
#define CVFIO_TYPE1v2_IOMMU 3

#define CVFIO_GROUP_FLAGS_VIABLE 0x1U
#define CVFIO_GROUP_FLAGS_CONTAINER_SET 0x2U

struct cvfio_group_status {
    uint32_t argsz;
    uint32_t flags;
};

/* ---- the device ---- */

#define CVFIO_DEVICE_FLAG_RESET 0x1U
#define CVFIO_DEVICE_FLAG_PCI 0x2U
#define CVFIO_DEVICE_FLAG_PLATFORM 0x4U
#define CVFIO_DEVICE_FLAG_AMBA 0x8U
#define CVFIO_DEVICE_FLAG_CCW 0x10U
#define CVFIO_DEVICE_FLAG_AP 0x20U
#define CVFIO_DEVICE_FLAG_FSL_MC 0x40U
#define CVFIO_DEVICE_FLAG_CAPS 0x80U
#define CVFIO_DEVICE_FLAG_CDX 0x100U

struct cvfio_device_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t num_regions;
    uint32_t num_irqs;
    uint32_t cap_offset;
    uint32_t pad;
};

struct cvfio_region_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t cap_offset;
    uint64_t size;
    uint64_t offset;
};

struct cvfio_info_cap_header {
    uint16_t id;
    uint16_t version;
    uint32_t next;
};

struct cvfio_region_info_cap_type {
    struct cvfio_info_cap_header header;
    uint32_t type;
    uint32_t subtype;
};

#define CVFIO_IRQ_INFO_EVENTFD 0x1U

struct cvfio_irq_info {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t count;
};

#define CVFIO_IRQ_SET_DATA_NONE 0x1U
#define CVFIO_IRQ_SET_DATA_BOOL 0x2U
#define CVFIO_IRQ_SET_DATA_EVENTFD 0x4U
#define CVFIO_IRQ_SET_ACTION_TRIGGER 0x20U

#define CVFIO_PCI_ERR_IRQ_INDEX 3U
#define CVFIO_PCI_REQ_IRQ_INDEX 4U
#define CVFIO_CCW_REQ_IRQ_INDEX 2U
#define CVFIO_AP_REQ_IRQ_INDEX 0U

/* struct vfio_irq_set with room for the one eventfd Ferry ever passes. */
struct cvfio_irq_set_eventfd {
    uint32_t argsz;
    uint32_t flags;
    uint32_t index;
    uint32_t start;
    uint32_t count;
    int32_t eventfd;
};

struct cvfio_device_bind_iommufd {
    uint32_t argsz;
    uint32_t flags;
    int32_t iommufd;
    uint32_t out_devid;
};

struct cvfio_device_attach_iommufd_pt {
    uint32_t argsz;
    uint32_t flags;
    uint32_t pt_id;
};

struct cvfio_device_detach_iommufd_pt {
    uint32_t argsz;
    uint32_t flags;
};

/* ---- features: struct vfio_device_feature, followed by its payload ---- */

#define CVFIO_DEVICE_FEATURE_GET 0x10000U
#define CVFIO_DEVICE_FEATURE_SET 0x20000U
#define CVFIO_DEVICE_FEATURE_PROBE 0x40000U

#define CVFIO_DEVICE_FEATURE_MIGRATION 1U
#define CVFIO_DEVICE_FEATURE_MIG_DEVICE_STATE 2U
#define CVFIO_DEVICE_FEATURE_DMA_LOGGING_START 6U
#define CVFIO_DEVICE_FEATURE_DMA_LOGGING_STOP 7U
#define CVFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT 8U
#define CVFIO_DEVICE_FEATURE_MIG_DATA_SIZE 9U

struct cvfio_device_feature {
    uint32_t argsz;
    uint32_t flags;
};

struct cvfio_feature_migration {
    struct cvfio_device_feature feature;
    uint64_t flags;
};

struct cvfio_feature_mig_state {
    struct cvfio_device_feature feature;
    uint32_t device_state;
    int32_t data_fd;
};

struct cvfio_feature_mig_data_size {
    struct cvfio_device_feature feature;
    uint64_t stop_copy_length;
};

struct cvfio_precopy_info {
    uint32_t argsz;
    uint32_t flags;
    uint64_t initial_bytes;
    uint64_t dirty_bytes;
};

/* ---- iommufd ---- */

struct cvfio_iommu_destroy {
    uint32_t size;
    uint32_t id;
};

struct cvfio_iommu_ioas_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t out_ioas_id;
};

struct cvfio_iommu_ioas_map {
    uint32_t size;
    uint32_t flags;
    uint32_t ioas_id;
    uint32_t reserved;
    uint64_t user_va;
    uint64_t length;
    uint64_t iova;
};

struct cvfio_iommu_ioas_unmap {
    uint32_t size;
    uint32_t ioas_id;
    uint64_t iova;
    uint64_t length;
};

struct cvfio_iommu_ioas_iova_ranges {
    uint32_t size;
    uint32_t ioas_id;
    uint32_t num_iovas;
    uint32_t reserved;
    uint64_t allowed_iovas;
    uint64_t out_iova_alignment;
};

struct cvfio_iommu_hwpt_alloc {
    uint32_t size;
    uint32_t flags;
    uint32_t dev_id;
    uint32_t pt_id;
    uint32_t out_hwpt_id;
    uint32_t reserved;
    uint32_t data_type;
    uint32_t data_len;
    uint64_t data_uptr;
    uint32_t fault_id;
    uint32_t reserved2;
};

struct cvfio_iommu_hwpt_set_dirty_tracking {
    uint32_t size;
    uint32_t flags;
    uint32_t hwpt_id;
    uint32_t reserved;
};

struct cvfio_iommu_hwpt_get_dirty_bitmap {
    uint32_t size;
    uint32_t hwpt_id;
    uint32_t flags;
    uint32_t reserved;
    uint64_t iova;
    uint64_t length;
    uint64_t page_size;
    uint64_t data;
};

#endif
