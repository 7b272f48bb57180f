import CVFIO
import MigrationPorts
import Testing

@testable import VFIODevices

/// The numbers and sizes of the uAPI.
///
/// CVFIO asserts them for C; these are what Swift sees of it.
@Suite("The kernel's ABI as Swift sees it")
struct ABITests {
    @Test("device ioctls have the kernel's numbers")
    func deviceNumbers() {
        #expect(CVFIO_DEVICE_GET_INFO == 0x3b6b)
        #expect(CVFIO_DEVICE_GET_REGION_INFO == 0x3b6c)
        #expect(CVFIO_DEVICE_GET_IRQ_INFO == 0x3b6d)
        #expect(CVFIO_DEVICE_SET_IRQS == 0x3b6e)
        #expect(CVFIO_DEVICE_RESET == 0x3b6f)
        #expect(CVFIO_DEVICE_FEATURE == 0x3b75)
        #expect(CVFIO_DEVICE_BIND_IOMMUFD == 0x3b76)
        #expect(CVFIO_DEVICE_ATTACH_IOMMUFD_PT == 0x3b77)
        #expect(CVFIO_DEVICE_DETACH_IOMMUFD_PT == 0x3b78)
        #expect(CVFIO_MIG_GET_PRECOPY_INFO == 0x3b79)
    }

    @Test("container and group ioctls have the kernel's numbers")
    func groupNumbers() {
        #expect(CVFIO_GET_API_VERSION == 0x3b64)
        #expect(CVFIO_CHECK_EXTENSION == 0x3b65)
        #expect(CVFIO_SET_IOMMU == 0x3b66)
        #expect(CVFIO_GROUP_GET_STATUS == 0x3b67)
        #expect(CVFIO_GROUP_SET_CONTAINER == 0x3b68)
        #expect(CVFIO_GROUP_UNSET_CONTAINER == 0x3b69)
        #expect(CVFIO_GROUP_GET_DEVICE_FD == 0x3b6a)
        #expect(CVFIO_API_VERSION == 0)
        #expect(CVFIO_TYPE1v2_IOMMU == 3)
        #expect(CVFIO_GROUP_FLAGS_VIABLE == 1)
        #expect(CVFIO_GROUP_FLAGS_CONTAINER_SET == 2)
    }

    @Test("iommufd ioctls have the kernel's numbers")
    func iommuNumbers() {
        #expect(CVFIO_IOMMU_DESTROY == 0x3b80)
        #expect(CVFIO_IOMMU_IOAS_ALLOC == 0x3b81)
        #expect(CVFIO_IOMMU_IOAS_IOVA_RANGES == 0x3b84)
        #expect(CVFIO_IOMMU_IOAS_MAP == 0x3b85)
        #expect(CVFIO_IOMMU_IOAS_UNMAP == 0x3b86)
        #expect(CVFIO_IOMMU_HWPT_ALLOC == 0x3b89)
        #expect(CVFIO_IOMMU_HWPT_SET_DIRTY_TRACKING == 0x3b8b)
        #expect(CVFIO_IOMMU_HWPT_GET_DIRTY_BITMAP == 0x3b8c)
    }

    @Test("feature flags and indices have the kernel's numbers")
    func features() {
        #expect(CVFIO_DEVICE_FEATURE_GET == 1 << 16)
        #expect(CVFIO_DEVICE_FEATURE_SET == 1 << 17)
        #expect(CVFIO_DEVICE_FEATURE_PROBE == 1 << 18)
        #expect(CVFIO_DEVICE_FEATURE_MIGRATION == 1)
        #expect(CVFIO_DEVICE_FEATURE_MIG_DEVICE_STATE == 2)
        #expect(CVFIO_DEVICE_FEATURE_MIG_DATA_SIZE == 9)
    }

    @Test("argsz is the size the kernel expects")
    func sizes() {
        #expect(byteCount(of: cvfio_group_status()) == 8)
        #expect(byteCount(of: cvfio_device_info()) == 24)
        #expect(byteCount(of: cvfio_irq_info()) == 16)
        #expect(byteCount(of: cvfio_irq_set_eventfd()) == 24)
        #expect(byteCount(of: cvfio_device_bind_iommufd()) == 16)
        #expect(byteCount(of: cvfio_device_attach_iommufd_pt()) == 12)
        #expect(byteCount(of: cvfio_feature_migration()) == 16)
        #expect(byteCount(of: cvfio_feature_mig_state()) == 16)
        #expect(byteCount(of: cvfio_feature_mig_data_size()) == 16)
        #expect(byteCount(of: cvfio_precopy_info()) == 24)
        #expect(byteCount(of: cvfio_iommu_ioas_alloc()) == 12)
    }

    @Test("payloads lie where the kernel reads them")
    func offsets() {
        #expect(MemoryLayout<cvfio_feature_mig_state>.offset(of: \.device_state) == 8)
        #expect(MemoryLayout<cvfio_feature_mig_state>.offset(of: \.data_fd) == 12)
        #expect(MemoryLayout<cvfio_feature_migration>.offset(of: \.flags) == 8)
        #expect(MemoryLayout<cvfio_irq_set_eventfd>.offset(of: \.eventfd) == 20)
        #expect(MemoryLayout<cvfio_precopy_info>.offset(of: \.dirty_bytes) == 16)
    }

    @Test("a PCI device signals unplug and errors, other kinds what they have")
    func signals() {
        let pci = DeviceInfo(flags: CVFIO_DEVICE_FLAG_PCI, interruptCount: 5)
        #expect(pci.signals.map(\.signal) == [.unplugRequested, .errorSignalled])
        #expect(pci.signals.map(\.index) == [4, 3])
        let old = DeviceInfo(flags: CVFIO_DEVICE_FLAG_PCI, interruptCount: 4)
        #expect(old.signals.map(\.index) == [3])
        let ccw = DeviceInfo(flags: CVFIO_DEVICE_FLAG_CCW | 1, interruptCount: 3)
        #expect(ccw.signals.map(\.index) == [2])
        let platform = DeviceInfo(flags: CVFIO_DEVICE_FLAG_PLATFORM, interruptCount: 7)
        #expect(platform.signals.isEmpty)
    }
}
