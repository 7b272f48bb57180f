internal import MigrationCore
internal import SystemIO

/// What a dead daemon left of a change, told by where the device is now.
///
/// Every step of a change leads from one known place to the next. A device in none of them was
/// changed by somebody else since, and is left to them.
extension HostChanges {
    /// Where a device is; of a mediated one that no driver of VFIO has too.
    func place(of id: DeviceID) -> DevicePlace? {
        guard let device = inventory.device(id) else {
            return mediatedDirectory(id).map { directory in
                DevicePlace(
                    driver: tree.linkTargetIfAny("driver", in: directory)
                        .flatMap(SysfsPath.lastName)
                )
            }
        }
        guard var place = DriverBinding(device, tree, writer)?.place else { return nil }
        place.functionCount = count(of: device)
        place.functions = functions(of: device)
        place.isProbed = tree.textIfAny("sriov_drivers_autoprobe", in: device.directory)
            .map { $0 == "1" }
        return place
    }

    /// Settles a change; nil when there is no such device.
    func settle(
        _ action: AuditRecord.Action,
        of id: DeviceID,
        before: DevicePlace?
    ) throws(Problem) -> ChangeRemains? {
        switch action {
        case .create(let request): return try settleCreation(request, before)
        // One write: it was made or it was not.
        case .change(.removal): return place(of: id) == nil ? .complete : .untouched
        case .change(.bind(let driver, _)):
            guard let device = inventory.device(id), let before else { return nil }
            guard let driver else { return .untouched }
            let wanted = DevicePlace(driver: driver, driverOverride: driver)
            return try settleBinding(of: device, from: before, to: wanted)
        case .change(.unbind(let driver, _)):
            guard let device = inventory.device(id), let before else { return nil }
            return try settleBinding(of: device, from: before, to: DevicePlace(driver: driver))
        case .change(.virtualFunctions(let count, let isProbed, _)):
            guard let device = inventory.device(id), let before else { return nil }
            var wanted = before
            wanted.functionCount = count
            wanted.isProbed = isProbed ?? before.isProbed
            return try settleCount(of: device, from: before, to: wanted)
        }
    }

    // MARK: Binding

    /// `wanted` without a driver is the host's, whichever the kernel found.
    private func settleBinding(
        of device: SysfsDevice,
        from before: DevicePlace,
        to wanted: DevicePlace
    ) throws(Problem) -> ChangeRemains {
        let binding = try binding(device)
        let now = binding.place
        if now.driver == before.driver, now.driverOverride == before.driverOverride {
            return .untouched
        }
        if now.driverOverride == wanted.driverOverride, let driver = now.driver,
            wanted.driver == nil ? driver != before.driver : driver == wanted.driver
        {
            return .complete
        }
        if wanted.driver == nil, now.driver == nil, now.driverOverride == nil {
            throw Self.unclear(device)
        }
        guard now.driver == nil || now.driver == before.driver,
            [before.driverOverride, wanted.driverOverride].contains(now.driverOverride)
        else {
            throw Self.foreign(device.record.id)
        }
        try checkHolders(of: device)
        var reasons = ChangeReasons()
        if let driver = before.driver, now.driver == nil {
            addDangers(of: driver, for: device, hasDriver: binding.hasDriver(driver), to: &reasons)
        }
        try reasons.check(device.record.id, isForced: false)
        return .takenBack(binding.restore(before))
    }

    /// What speaks against giving a device without a driver to this one.
    private func addDangers(
        of driver: String,
        for device: SysfsDevice,
        hasDriver: Bool,
        to reasons: inout ChangeReasons
    ) {
        if !hasDriver { reasons.bar("The driver \(driver) is not loaded.") }
        let siblings = inventory.siblings(of: device)
        guard !DriverFacts.isVFIO(driver, subsystem: nil) else {
            return reasons.warn(
                siblings.filter(\.blocksGroup).map {
                    "\($0.name) of its IOMMU group is on \($0.driver ?? "")."
                }
            )
        }
        for sibling in siblings where isHeld(sibling) {
            reasons.bar("\(sibling.name) of its IOMMU group is in use.")
        }
    }

    private static func foreign(_ device: DeviceID) -> Problem {
        ChangeReasons.barred(device, ["Somebody else has changed it since."])
    }

    /// The last step of an unbind asks the kernel for a driver, and there may be none.
    private static func unclear(_ device: SysfsDevice) -> Problem {
        Problem(
            .changeRefused,
            "That it has no driver and no driver_override is half of an unbind, and all of it where "
                + "the host has no driver for the device: it is left so.",
            Problem.Facts(device: device.record.id)
        )
    }

    // MARK: Virtual functions

    private func settleCount(
        of device: SysfsDevice,
        from before: DevicePlace,
        to wanted: DevicePlace
    ) throws(Problem) -> ChangeRemains {
        guard let now = place(of: device.record.id), now.driver == before.driver else {
            throw Self.foreign(device.record.id)
        }
        let state = { (place: DevicePlace) in
            [place.functionCount, place.isProbed.map { $0 ? 1 : 0 }]
        }
        if state(now) == state(before) { return .untouched }
        if state(now) == state(wanted) { return .complete }
        guard now.functionCount == before.functionCount || now.functionCount == 0,
            [before.isProbed, wanted.isProbed].contains(now.isProbed)
        else {
            throw Self.foreign(device.record.id)
        }
        try checkHolders(of: device)
        var told: [String] = []
        if now.isProbed != before.isProbed, let isProbed = before.isProbed {
            told += restored("sriov_drivers_autoprobe", isProbed ? "1" : "0", device)
        }
        if now.functionCount != before.functionCount, let count = before.functionCount {
            told += restored("sriov_numvfs", "\(count)", device)
            told.append(Self.renewal)
        }
        return .takenBack(told)
    }

    // MARK: Mediated devices

    private func settleCreation(
        _ request: MediatedRequest,
        _ before: DevicePlace?
    ) throws(Problem) -> ChangeRemains? {
        // One that was there before was not made.
        guard before == nil,
            let target = tree.linkTargetIfAny(request.uuid, in: Self.devices)
        else { return .untouched }
        guard isMade(request, in: SysfsPath.resolve(target, in: Self.devices)) else {
            guard let id = request.device else { return nil }
            throw Self.foreign(id)
        }
        if device(request.uuid) != nil { return .complete }
        // No driver of VFIO has it, so nobody can have it open.
        return .takenBack([removed(request.uuid)])
    }

    /// Whether the device in a directory is of the parent and the type that were asked for.
    private func isMade(_ request: MediatedRequest, in directory: String) -> Bool {
        guard let parent = tree.linkTargetIfAny(request.parent, in: Self.parents),
            SysfsPath.resolve(parent, in: Self.parents) == SysfsPath.parent(directory),
            let type = tree.linkTargetIfAny("mdev_type", in: directory)
        else { return false }
        return SysfsPath.lastName(type) == request.type
    }

    private func mediatedDirectory(_ id: DeviceID) -> String? {
        guard id.text.hasPrefix("mdev-"),
            let uuid = MediatedRequest.canonical(String(id.text.dropFirst("mdev-".count))),
            let target = tree.linkTargetIfAny(uuid, in: Self.devices)
        else { return nil }
        return SysfsPath.resolve(target, in: Self.devices)
    }
}
