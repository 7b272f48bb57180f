internal import Dispatch
internal import MigrationCore
internal import SystemIO

/// The watch of what sysfs shows.
extension DeviceWatch where Device == SysfsDevice {
    convenience init(
        _ inventory: SysfsInventory,
        hearing socket: UeventSocket?,
        _ options: WatchOptions = WatchOptions()
    ) {
        self.init(hearing: socket, options) { Self.look(at: inventory) }
    }

    static func look(at inventory: SysfsInventory) -> (devices: [SysfsDevice], isWhole: Bool) {
        // Counted, not asked for afterwards: it may have been over by then.
        let shortageCount = inventory.tree.shortageCount
        let found = inventory.devices()
        return (found, isWhole: inventory.tree.shortageCount == shortageCount)
    }
}

extension UeventSocket: LookHints {
    /// Subsystems whose events can change what is listed.
    private static let subsystems: Set<String> = [
        "vfio-dev", "vfio", "pci", "mdev", "css", "ccw", "ap", "platform", "amba", "fsl-mc", "cdx",
        "iommu", "vfio_ap", "matrix",
    ]

    func areWorthLooking(limit: Int) -> Bool {
        var areWorth = false
        for _ in 0..<limit {
            guard let message = try? receive() else { break }
            switch message {
            case .event(let event):
                areWorth = areWorth || event.subsystem.map(Self.subsystems.contains) ?? false
            case .lost: areWorth = true
            case .meaningless: break
            }
        }
        return areWorth
    }
}

extension SysfsDevice: WatchedDevice {
    var id: DeviceID { record.id }

    /// Whether it is what another look saw, but for its power state.
    ///
    /// The kernel lets idle functions sleep and wakes them for whoever reads them: a list of what
    /// changed would be full of that.
    func isStill(_ before: Self) -> Bool {
        if self == before { return true }
        var awake = self
        awake.record.pci?.powerState = before.record.pci?.powerState
        return awake == before
    }
}
