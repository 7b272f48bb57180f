internal import APISchema

/// Devices for a person.
enum DeviceReport {
    static func table(_ devices: [DeviceDTO]) -> String {
        var table = Table("DEVICE", "DRIVER", "MIGRATION", "STATE", "CONTENT", "SESSION", "JOB")
        for device in devices {
            table.add(
                device.id,
                device.driver ?? device.candidate.map { "(\($0.driver))" },
                support(device.migration),
                state(device),
                device.content,
                device.session,
                device.lockedBy
            )
        }
        return table.text
    }

    private static func state(_ device: DeviceDTO) -> String? {
        if let vfioUser = device.vfioUser { return "socket \(vfioUser.socket)" }
        return device.candidate == nil ? device.vfioState : "candidate"
    }

    static func text(_ device: DeviceDTO) -> String {
        var facts = FactList()
        facts.add("device", device.id)
        facts.add("backend", device.backend)
        facts.add("bus", "\(device.bus) \(device.address)")
        facts.add("driver", device.driver)
        facts.add("device api", device.deviceAPI)
        facts.add("vendor", named(device.vendorName, device.vendorID))
        facts.add("hardware", named(device.deviceName, device.deviceID))
        if let pci = device.pci { add(pci, to: &facts) }
        if let mdev = device.mdev { add(mdev, to: &facts) }
        if let ccw = device.ccw { add(ccw, to: &facts) }
        if let ap = device.ap { add(ap, to: &facts) }
        if let vfioUser = device.vfioUser { add(vfioUser, to: &facts) }
        facts.add("numa node", device.numaNode.map(String.init))
        facts.add("iommu group", group(device))
        for sibling in device.isolation?.siblings ?? [] {
            let driver = sibling.driver ?? "no driver"
            facts.add("  with", "\(sibling.address) (\(driver))")
        }
        facts.add("cdev", device.cdev)
        facts.add("group", device.group)
        if let candidate = device.candidate {
            facts.add("driver for it", candidate.driver)
            for (number, step) in candidate.steps.enumerated() {
                facts.add(number == 0 ? "to do" : "", step)
            }
        }
        facts.add("migration", provenance(device.migration))
        facts.add("", device.migration.reason)
        facts.add("state", device.vfioState)
        facts.add("session", device.session)
        facts.add("content", device.content)
        facts.add("locked by", device.lockedBy)
        for holder in device.holders ?? [] {
            facts.add("held by", holder.words)
        }
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

    private static func add(_ pci: PCIFactsDTO, to facts: inout FactList) {
        facts.add("class", named(pci.className, pci.classCode))
        facts.add("power state", pci.powerState)
        if !pci.resetMethods.isEmpty {
            facts.add("resets by", pci.resetMethods.joined(separator: ", "))
        }
        facts.add("virtual of", pci.physicalFunction)
        if let limit = pci.virtualFunctionsLimit {
            facts.add("virtual functions", "\(pci.virtualFunctions?.count ?? 0) of \(limit)")
        }
    }

    private static func add(_ mdev: MediatedFactsDTO, to facts: inout FactList) {
        facts.add("parent", mdev.parent)
        facts.add("mdev type", named(mdev.typeName, mdev.type))
    }

    private static func add(_ ccw: SubchannelFactsDTO, to facts: inout FactList) {
        facts.add("subchannel", ccw.subchannel)
        facts.add("channel paths", ccw.channelPaths.joined(separator: " "))
        facts.add(
            "path masks",
            "installed \(ccw.installedMask), available \(ccw.availableMask), "
                + "operational \(ccw.operationalMask)"
        )
    }

    private static func add(_ ap: MatrixFactsDTO, to facts: inout FactList) {
        facts.add("queues", ap.queues.joined(separator: " "))
        facts.add("guest sees", ap.guestQueues.joined(separator: " "))
        facts.add("control domains", ap.controlDomains.joined(separator: " "))
    }

    private static func add(_ vfioUser: SocketFactsDTO, to facts: inout FactList) {
        facts.add("socket", named(vfioUser.socket, vfioUser.errno))
        facts.add("mode", vfioUser.mode)
        facts.add("owner", vfioUser.uid.map { "uid \($0), gid \(vfioUser.gid ?? 0)" })
    }

    /// `37 (DMA-FQ, viable)`.
    private static func group(_ device: DeviceDTO) -> String? {
        guard let number = device.iommuGroup else { return nil }
        guard let isolation = device.isolation else { return number }
        let words = [isolation.type, isolation.viable ? "viable" : "not viable"]
        return "\(number) (\(words.compactMap(\.self).joined(separator: ", ")))"
    }

    /// `Mellanox Technologies (0x15b3)`.
    private static func named(_ name: String?, _ number: String?) -> String? {
        guard let name, let number else { return name ?? number }
        return "\(name) (\(number))"
    }

    private static func provenance(_ migration: MigrationSupportDTO) -> String {
        let source = migration.source.map { " (\($0)\(migration.probedAt.map { " " + $0 } ?? ""))" }
        return support(migration) + (source ?? "")
    }

    private static func support(_ support: MigrationSupportDTO) -> String {
        support.flags.isEmpty ? support.kind : support.flags.joined(separator: ",")
    }
}
