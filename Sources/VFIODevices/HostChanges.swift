internal import MigrationCore
internal import SystemIO

/// Changes the place of devices on the host: which driver has them, how many virtual functions
/// there are, which mediated devices.
///
/// Its calls block for as long as the kernel needs, and for ever when somebody keeps a device open
/// that is taken away.
struct HostChanges: Sendable {
    let inventory: SysfsInventory
    let writer: SysfsWriter

    init(_ inventory: SysfsInventory) { self.init(inventory, SysfsWriter(inventory.tree)) }

    init(_ inventory: SysfsInventory, _ writer: SysfsWriter) {
        self.inventory = inventory
        self.writer = writer
    }

    var tree: ConfinedTree { inventory.tree }

    func make(_ change: DeviceChange, of device: SysfsDevice) throws(Problem) {
        switch change {
        case .bind(let driver, let isForced): try bind(device, to: driver, isForced: isForced)
        case .unbind(let driver, let isForced): try unbind(device, to: driver, isForced: isForced)
        case .virtualFunctions(let count, let isProbed, let isForced):
            try setCount(count, isProbed: isProbed, of: device, isForced: isForced)
        case .removal: try remove(device)
        }
    }

    // MARK: Binding

    private func bind(
        _ device: SysfsDevice,
        to wanted: String?,
        isForced: Bool
    ) throws(Problem) {
        let id = device.record.id
        let binding = try binding(device)
        // A device that VFIO has is left with the driver it has, unless another one is asked for.
        guard let driver = wanted ?? device.record.candidate?.driver else { return }
        try Self.check(driver)
        guard driver.contains("vfio") else {
            throw Self.invalidDriver(
                "\(driver) is no driver of VFIO; unbind gives a device to a driver of the host."
            )
        }
        if binding.driver != driver {
            try checkHolders(of: device)
            var reasons = ChangeReasons()
            if !binding.hasDriver(driver) {
                reasons.bar("The driver \(driver) is not loaded.")
            }
            if device.record.bus != .ccw, device.record.iommuGroup == nil {
                reasons.bar("There is no IOMMU before it.")
            }
            addVirtualFunctions(of: device, to: &reasons)
            if !DriverFacts.isVFIO(binding.driver, subsystem: nil) {
                addHostUse(of: device, to: &reasons)
            }
            reasons.warn(
                inventory.siblings(of: device).filter(\.blocksGroup).map {
                    "\($0.name) of its IOMMU group is on \($0.driver ?? ""): VFIO has all of a "
                        + "group or nothing."
                }
            )
            try reasons.check(id, isForced: isForced)
        }
        try binding.bind(to: driver)
    }

    private func unbind(
        _ device: SysfsDevice,
        to wanted: String?,
        isForced: Bool
    ) throws(Problem) {
        let binding = try binding(device)
        if let wanted { try Self.check(wanted) }
        var reasons = ChangeReasons()
        if let driver = binding.driver, !DriverFacts.isVFIO(driver, subsystem: nil) {
            if wanted == nil || wanted == driver { return }
            reasons.bar("The host has it already, by \(driver): bind and unbind it to change that.")
        } else {
            try checkHolders(of: device)
        }
        if let wanted, wanted.contains("vfio") {
            throw Self.invalidDriver("\(wanted) is a driver of VFIO; bind gives a device to one.")
        }
        if let wanted, !binding.hasDriver(wanted) {
            reasons.bar("The driver \(wanted) is not loaded.")
        }
        addVirtualFunctions(of: device, to: &reasons)
        for sibling in inventory.siblings(of: device) where isHeld(sibling) {
            reasons.bar(
                "\(sibling.name) of its IOMMU group is in use: no driver of the host may have it."
            )
        }
        try reasons.check(device.record.id, isForced: isForced)
        try binding.release(to: wanted)
    }

    func binding(_ device: SysfsDevice) throws(Problem) -> DriverBinding {
        let id = device.record.id
        guard device.record.mediated == nil else {
            throw ChangeReasons.barred(id, ["A mediated device has the driver of its parent."])
        }
        guard let binding = DriverBinding(device, tree, writer) else {
            throw Problem(.deviceGone, "\(id) is gone.", Problem.Facts(device: id))
        }
        return binding
    }

    private static func check(_ driver: String) throws(Problem) {
        guard KernelName.isDriver(driver) else {
            throw invalidDriver(
                "A driver's name has 1 to 64 letters, digits, hyphens and underscores."
            )
        }
    }

    private static func invalidDriver(_ detail: String) -> Problem {
        var facts = Problem.Facts()
        facts.pointer = "/driver"
        return Problem(.invalidField, detail, facts)
    }

    // MARK: What speaks against it

    /// Throws `device-busy` when somebody has the device open: taking it away would wait for them.
    func checkHolders(of device: SysfsDevice) throws(Problem) {
        let nodes = [device.record.cdevPath, device.record.groupPath].compactMap(\.self)
        let scan = HolderScan(nodes: nodes)
        let holders = scan.holders()
        guard holders.isEmpty else { throw Problem.inUse(device.record.id, by: holders) }
        if scan.isHeldByOurselves() { throw OpenDiagnosis.heldByOurselves(device.record.id) }
    }

    func addHostUse(of device: SysfsDevice, to reasons: inout ChangeReasons) {
        reasons.warn(HostUse(tree).reasons(device.directory))
    }

    private func addVirtualFunctions(of device: SysfsDevice, to reasons: inout ChangeReasons) {
        guard case .physical(_, let functions)? = device.record.pci?.role, !functions.isEmpty
        else { return }
        reasons.bar(
            "It has virtual functions (\(functions.joined(separator: ", "))): set their number to "
                + "0 first."
        )
    }

    func isHeld(_ sibling: GroupSibling) -> Bool {
        let scan = HolderScan(nodes: [sibling.cdev, sibling.group].compactMap(\.self))
        return scan.isHeldByOurselves() || !scan.holders().isEmpty
    }
}
