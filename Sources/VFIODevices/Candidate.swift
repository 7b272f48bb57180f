internal import MigrationCore

/// Why a device that VFIO does not have could be had: the driver for it, and what is to be done.
struct Candidate {
    let kind: CandidateFacts.Kind
    let driver: String
    /// The device API it will have.
    let api: String
    private let isOverridden: Bool

    /// The drivers of the buses that have one each.
    private static let drivers: [DeviceRecord.Bus: String] = [
        .platform: "vfio-platform", .amba: "vfio-amba", .fslMC: "vfio-fsl-mc", .cdx: "vfio-cdx",
    ]
    private static let bridgeClass: UInt32 = 0x06

    /// Nil for a device that VFIO has no driver for.
    ///
    /// Every PCI function could be bound to the generic driver; available are those that are made
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
            var isAvailable = variant != nil || record.driver == nil || isOverridden
            var isParent = false
            switch pci.role {
            case .virtual: isAvailable = true
            case .physical: isParent = true
            case .plain: break
            }
            kind = isAvailable ? .available : isParent ? .parent : .host
            driver = variant ?? DriverAliases.generic
            api = "vfio-pci"
        case .ccw:
            let isAvailable =
                record.driver == nil || record.driver == "vfio_ccw" || isOverridden
            kind = isAvailable ? .available : .host
            driver = "vfio_ccw"
            api = "vfio-ccw"
        case .platform, .amba, .fslMC, .cdx:
            // Without a group there is no IOMMU before it, and VFIO refuses it.
            guard record.iommuGroup != nil, let usual = Self.drivers[record.bus] else { return nil }
            kind = isOverridden ? .available : .host
            driver = isOverridden ? override ?? usual : usual
            api = driver
        case .mdev, .ap, .simulated, .vfioUser: return nil
        }
    }

    /// What is still to be done, in order.
    func steps(_ device: DeviceRecord.Details) -> [String] {
        guard kind == .available else { return [] }
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
