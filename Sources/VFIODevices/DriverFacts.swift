internal import MigrationCore

/// What a driver's name tells without opening the device.
enum DriverFacts {
    /// Drivers of the kernel that never offer migration: only their variants do.
    private static let withoutMigration: Set<String> = [
        "vfio-pci", "vfio-platform", "vfio-amba", "vfio-fsl-mc", "vfio-cdx",
        "nvgrace_gpu_vfio_pci",
    ]

    /// What the variant drivers of Linux offer where the hardware and its firmware let them.
    private static let usual: [String: MigrationFlags] = [
        "mlx5_vfio_pci": [.stopCopy, .p2p, .preCopy],
        "hisi_acc_vfio_pci": [.stopCopy, .preCopy],
        "pds_vfio_pci": [.stopCopy, .p2p],
        "qat_vfio_pci": [.stopCopy, .p2p, .preCopy],
        "virtio_vfio_pci": [.stopCopy, .p2p, .preCopy],
        "xe_vfio_pci": [.stopCopy, .p2p],
    ]

    /// Drivers a group member may have without keeping the group from VFIO: the bridges'.
    private static let tolerated: Set<String> = ["pcieport", "pci-stub", "shpchp"]

    /// What a device of this driver should be able to do; nil when only asking it can tell.
    static func support(bus: DeviceRecord.Bus, driver: String?) -> MigrationSupport? {
        switch bus {
        case .ccw, .ap: return .recreate
        default:
            guard let driver else { return nil }
            if withoutMigration.contains(driver) { return MigrationSupport.none }
            return usual[driver].map { .stateStream($0) }
        }
    }

    /// Whether a driver hands its devices to VFIO.
    ///
    /// Every mdev's driver does.
    static func isVFIO(_ driver: String?, subsystem: String?) -> Bool {
        guard let driver else { return false }
        return subsystem == "mdev" || driver.contains("vfio")
    }

    /// Whether a driver owns the DMA of its device's group, so that VFIO cannot have the others.
    static func blocksGroup(_ driver: String) -> Bool {
        !driver.contains("vfio") && !tolerated.contains(driver)
    }
}
