internal import APISchema

/// Devices for a person.
enum DeviceReport {
    static func table(_ devices: [DeviceDTO]) -> String {
        var table = Table("DEVICE", "DRIVER", "MIGRATION", "STATE", "CONTENT", "SESSION", "JOB")
        for device in devices {
            table.add(
                device.id,
                device.driver,
                support(device.migration),
                device.vfioState,
                device.content,
                device.session,
                device.lockedBy
            )
        }
        return table.text
    }

    static func text(_ device: DeviceDTO) -> String {
        var facts = FactList()
        facts.add("device", device.id)
        facts.add("backend", device.backend)
        facts.add("bus", "\(device.bus) \(device.address)")
        facts.add("driver", device.driver)
        facts.add("iommu group", device.iommuGroup)
        facts.add("cdev", device.cdev)
        facts.add("group", device.group)
        if let vendor = device.vendorID, let id = device.deviceID {
            facts.add("vendor:device", "\(vendor):\(id)")
        }
        facts.add("numa node", device.numaNode.map(String.init))
        facts.add("parent", device.parent)
        facts.add("mdev type", device.mdevType)
        facts.add(
            "migration",
            support(device.migration) + (device.migration.source.map { ", by \($0)" } ?? "")
        )
        facts.add("state", device.vfioState)
        facts.add("session", device.session)
        facts.add("content", device.content)
        facts.add("locked by", device.lockedBy)
        if let simulated = device.simulated { add(simulated, to: &facts) }
        return facts.text()
    }

    private static func add(_ simulated: SimulationDTO, to facts: inout FactList) {
        facts.add("profile", "\(simulated.profile), seed \(simulated.seed)")
        facts.add("state size", bytes(simulated.stateBytes))
        facts.add("dirty rate", "\(bytes(simulated.dirtyBytesPerSecond))/s")
        facts.add("digest", simulated.contentDigest)
        facts.add("digest at stop", simulated.stoppedContentDigest)
    }

    private static func support(_ support: MigrationSupportDTO) -> String {
        support.flags.isEmpty ? support.kind : support.flags.joined(separator: ",")
    }
}
