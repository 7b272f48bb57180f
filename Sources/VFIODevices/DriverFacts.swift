internal import MigrationCore

/// What a driver's name tells without opening the device.
enum DriverFacts {
    /// Drivers of the kernel that never offer migration: only their variants do.
    private static let withoutMigration: Set<String> = [
        "vfio-pci", "vfio-platform", "vfio-amba", "vfio-fsl-mc", "vfio-cdx",
    ]

    /// Drivers a group member may have without keeping the group from VFIO: the bridges'.
    private static let tolerated: Set<String> = ["pcieport", "pci-stub", "shpchp"]

    static func support(bus: DeviceRecord.Bus, driver: String?) -> MigrationSupport {
        switch bus {
        case .ccw, .ap: .recreate
        default: driver.map(withoutMigration.contains) == true ? .none : .unknown
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
