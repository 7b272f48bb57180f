#include "cvfio.h"

#include <stddef.h>
#include <sys/ioctl.h>

/* The numbers, against the macro of this architecture's ABI. */
#define NUMBER(name, offset) \
    _Static_assert((name) == _IO(';', 100 + (offset)), #name " is another number here")

NUMBER(CVFIO_GET_API_VERSION, 0);
NUMBER(CVFIO_CHECK_EXTENSION, 1);
NUMBER(CVFIO_SET_IOMMU, 2);
NUMBER(CVFIO_GROUP_GET_STATUS, 3);
NUMBER(CVFIO_GROUP_SET_CONTAINER, 4);
NUMBER(CVFIO_GROUP_UNSET_CONTAINER, 5);
NUMBER(CVFIO_GROUP_GET_DEVICE_FD, 6);
NUMBER(CVFIO_DEVICE_GET_INFO, 7);
NUMBER(CVFIO_DEVICE_GET_REGION_INFO, 8);
NUMBER(CVFIO_DEVICE_GET_IRQ_INFO, 9);
NUMBER(CVFIO_DEVICE_SET_IRQS, 10);
NUMBER(CVFIO_DEVICE_RESET, 11);
NUMBER(CVFIO_DEVICE_FEATURE, 17);
NUMBER(CVFIO_DEVICE_BIND_IOMMUFD, 18);
NUMBER(CVFIO_DEVICE_ATTACH_IOMMUFD_PT, 19);
NUMBER(CVFIO_DEVICE_DETACH_IOMMUFD_PT, 20);
NUMBER(CVFIO_MIG_GET_PRECOPY_INFO, 21);
NUMBER(CVFIO_IOMMU_DESTROY, 28);
NUMBER(CVFIO_IOMMU_IOAS_ALLOC, 29);
NUMBER(CVFIO_IOMMU_IOAS_IOVA_RANGES, 32);
NUMBER(CVFIO_IOMMU_IOAS_MAP, 33);
NUMBER(CVFIO_IOMMU_IOAS_UNMAP, 34);
NUMBER(CVFIO_IOMMU_HWPT_ALLOC, 37);
NUMBER(CVFIO_IOMMU_HWPT_SET_DIRTY_TRACKING, 39);
NUMBER(CVFIO_IOMMU_HWPT_GET_DIRTY_BITMAP, 40);

#define SIZE(type, size) \
    _Static_assert(sizeof(struct cvfio_##type) == (size), "size of " #type)
#define FIELD(type, field, offset, size)                                                       \
    _Static_assert(offsetof(struct cvfio_##type, field) == (offset) &&                         \
                       sizeof(((struct cvfio_##type *)0)->field) == (size),                    \
                   "place of " #type "." #field)

SIZE(group_status, 8);
FIELD(group_status, argsz, 0, 4);
FIELD(group_status, flags, 4, 4);

SIZE(device_info, 24);
FIELD(device_info, argsz, 0, 4);
FIELD(device_info, flags, 4, 4);
FIELD(device_info, num_regions, 8, 4);
FIELD(device_info, num_irqs, 12, 4);
FIELD(device_info, cap_offset, 16, 4);
FIELD(device_info, pad, 20, 4);

SIZE(region_info, 32);
FIELD(region_info, argsz, 0, 4);
FIELD(region_info, flags, 4, 4);
FIELD(region_info, index, 8, 4);
FIELD(region_info, cap_offset, 12, 4);
FIELD(region_info, size, 16, 8);
FIELD(region_info, offset, 24, 8);

SIZE(info_cap_header, 8);
FIELD(info_cap_header, id, 0, 2);
FIELD(info_cap_header, version, 2, 2);
FIELD(info_cap_header, next, 4, 4);

SIZE(region_info_cap_type, 16);
FIELD(region_info_cap_type, type, 8, 4);
FIELD(region_info_cap_type, subtype, 12, 4);

SIZE(irq_info, 16);
FIELD(irq_info, argsz, 0, 4);
FIELD(irq_info, flags, 4, 4);
FIELD(irq_info, index, 8, 4);
FIELD(irq_info, count, 12, 4);

SIZE(irq_set_eventfd, 24);
FIELD(irq_set_eventfd, argsz, 0, 4);
FIELD(irq_set_eventfd, flags, 4, 4);
FIELD(irq_set_eventfd, index, 8, 4);
FIELD(irq_set_eventfd, start, 12, 4);
FIELD(irq_set_eventfd, count, 16, 4);
FIELD(irq_set_eventfd, eventfd, 20, 4);

SIZE(device_bind_iommufd, 16);
FIELD(device_bind_iommufd, argsz, 0, 4);
FIELD(device_bind_iommufd, flags, 4, 4);
FIELD(device_bind_iommufd, iommufd, 8, 4);
FIELD(device_bind_iommufd, out_devid, 12, 4);

SIZE(device_attach_iommufd_pt, 12);
FIELD(device_attach_iommufd_pt, argsz, 0, 4);
FIELD(device_attach_iommufd_pt, flags, 4, 4);
FIELD(device_attach_iommufd_pt, pt_id, 8, 4);

SIZE(device_detach_iommufd_pt, 8);
FIELD(device_detach_iommufd_pt, argsz, 0, 4);
FIELD(device_detach_iommufd_pt, flags, 4, 4);

SIZE(device_feature, 8);
FIELD(device_feature, argsz, 0, 4);
FIELD(device_feature, flags, 4, 4);

SIZE(feature_migration, 16);
FIELD(feature_migration, flags, 8, 8);

SIZE(feature_mig_state, 16);
FIELD(feature_mig_state, device_state, 8, 4);
FIELD(feature_mig_state, data_fd, 12, 4);

SIZE(feature_mig_data_size, 16);
FIELD(feature_mig_data_size, stop_copy_length, 8, 8);

SIZE(precopy_info, 24);
FIELD(precopy_info, argsz, 0, 4);
FIELD(precopy_info, flags, 4, 4);
FIELD(precopy_info, initial_bytes, 8, 8);
FIELD(precopy_info, dirty_bytes, 16, 8);

SIZE(iommu_destroy, 8);
FIELD(iommu_destroy, size, 0, 4);
FIELD(iommu_destroy, id, 4, 4);

SIZE(iommu_ioas_alloc, 12);
FIELD(iommu_ioas_alloc, size, 0, 4);
FIELD(iommu_ioas_alloc, flags, 4, 4);
FIELD(iommu_ioas_alloc, out_ioas_id, 8, 4);

SIZE(iommu_ioas_map, 40);
FIELD(iommu_ioas_map, size, 0, 4);
FIELD(iommu_ioas_map, flags, 4, 4);
FIELD(iommu_ioas_map, ioas_id, 8, 4);
FIELD(iommu_ioas_map, reserved, 12, 4);
FIELD(iommu_ioas_map, user_va, 16, 8);
FIELD(iommu_ioas_map, length, 24, 8);
FIELD(iommu_ioas_map, iova, 32, 8);

SIZE(iommu_ioas_unmap, 24);
FIELD(iommu_ioas_unmap, size, 0, 4);
FIELD(iommu_ioas_unmap, ioas_id, 4, 4);
FIELD(iommu_ioas_unmap, iova, 8, 8);
FIELD(iommu_ioas_unmap, length, 16, 8);

SIZE(iommu_ioas_iova_ranges, 32);
FIELD(iommu_ioas_iova_ranges, size, 0, 4);
FIELD(iommu_ioas_iova_ranges, ioas_id, 4, 4);
FIELD(iommu_ioas_iova_ranges, num_iovas, 8, 4);
FIELD(iommu_ioas_iova_ranges, reserved, 12, 4);
FIELD(iommu_ioas_iova_ranges, allowed_iovas, 16, 8);
FIELD(iommu_ioas_iova_ranges, out_iova_alignment, 24, 8);

SIZE(iommu_hwpt_alloc, 48);
FIELD(iommu_hwpt_alloc, size, 0, 4);
FIELD(iommu_hwpt_alloc, flags, 4, 4);
FIELD(iommu_hwpt_alloc, dev_id, 8, 4);
FIELD(iommu_hwpt_alloc, pt_id, 12, 4);
FIELD(iommu_hwpt_alloc, out_hwpt_id, 16, 4);
FIELD(iommu_hwpt_alloc, reserved, 20, 4);
FIELD(iommu_hwpt_alloc, data_type, 24, 4);
FIELD(iommu_hwpt_alloc, data_len, 28, 4);
FIELD(iommu_hwpt_alloc, data_uptr, 32, 8);
FIELD(iommu_hwpt_alloc, fault_id, 40, 4);
FIELD(iommu_hwpt_alloc, reserved2, 44, 4);

SIZE(iommu_hwpt_set_dirty_tracking, 16);
FIELD(iommu_hwpt_set_dirty_tracking, size, 0, 4);
FIELD(iommu_hwpt_set_dirty_tracking, flags, 4, 4);
FIELD(iommu_hwpt_set_dirty_tracking, hwpt_id, 8, 4);
FIELD(iommu_hwpt_set_dirty_tracking, reserved, 12, 4);

SIZE(iommu_hwpt_get_dirty_bitmap, 48);
FIELD(iommu_hwpt_get_dirty_bitmap, size, 0, 4);
FIELD(iommu_hwpt_get_dirty_bitmap, hwpt_id, 4, 4);
FIELD(iommu_hwpt_get_dirty_bitmap, flags, 8, 4);
FIELD(iommu_hwpt_get_dirty_bitmap, reserved, 12, 4);
FIELD(iommu_hwpt_get_dirty_bitmap, iova, 16, 8);
FIELD(iommu_hwpt_get_dirty_bitmap, length, 24, 8);
FIELD(iommu_hwpt_get_dirty_bitmap, page_size, 32, 8);
FIELD(iommu_hwpt_get_dirty_bitmap, data, 40, 8);
