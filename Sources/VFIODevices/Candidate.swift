internal import MigrationCore

/// Why a device that VFIO does not have could be had: the driver for it, and what is to be done.
struct Candidate {
    let driver: String
    /// The device API it will have.
    let api: String
    private let isOverridden: Bool

    private static let bridgeClass: UInt32 = 0x06

    /// Nil for a device that no VFIO driver is meant for.
    ///
    /// Every PCI function could be bound to the generic driver; named here are those that are made
    /// for it (virtual functions), that a variant driver fits, that nobody uses, or that somebody
    /// has already chosen a VFIO driver for. A host's own network card is none of them.
    init?(
        _ record: DeviceRecord,
        _ uevent: SysfsUevent,
        _ override: String?,
        _ aliases: DriverAliases
    ) {
        isOverridden = override?.contains("vfio") ?? false
        switch record.bus {
        case .pci:
            guard record.iommuGroup != nil, let pci = record.pci,
                (pci.classCode ?? 0) >> 16 != Self.bridgeClass
            else { return nil }
            let variant = uevent.modalias.flatMap(aliases.variant)
            var isVirtual = false
            if case .virtual = pci.role { isVirtual = true }
            guard variant != nil || isVirtual || record.driver == nil || isOverridden else {
                return nil
            }
            driver = variant ?? DriverAliases.generic
            api = "vfio-pci"
        case .ccw:
            guard record.driver == nil || record.driver == "vfio_ccw" || isOverridden else {
                return nil
            }
            driver = "vfio_ccw"
            api = "vfio-ccw"
        case .platform, .amba, .fslMC, .cdx:
            // Without a group there is no IOMMU before it, and VFIO refuses it.
            guard isOverridden, let override, record.iommuGroup != nil else { return nil }
            driver = override
            api = override
        case .mdev, .ap, .simulated: return nil
        }
    }

    /// What is still to be done, in order.
    func steps(_ device: DeviceRecord.Details) -> [String] {
        var steps: [String] = []
        if case .virtual(let physical)? = device.pci?.role, driver == "mlx5_vfio_pci" {
            steps.append(
                "Mark the function migratable at its physical function \(physical): devlink port "
                    + "function set … migratable enable. It must have no driver then."
            )
        }
        let blocking = device.isolation?.siblings.filter(\.isBlocking) ?? []
        if !blocking.isEmpty {
            let names = blocking.map { "\($0.address) (\($0.driver ?? ""))" }
            steps.append(
                "Take the drivers of the host off the other devices of IOMMU group "
                    + "\(device.iommuGroup ?? ""): \(names.joined(separator: ", "))."
            )
        }
        if device.driver != driver {
            steps.append(
                device.driver.map { "Unbind it from \($0) and bind it to \(driver)." }
                    ?? "Bind it to \(driver)."
            )
        }
        if device.bus == .ccw {
            steps.append("Create an mdev of the type vfio_ccw-io on its subchannel.")
        }
        return steps
    }
}
