internal import MigrationCore
internal import SystemIO

/// The number of virtual functions of a physical one.
extension HostChanges {
    /// Sets the number; from one number to another it goes by way of 0, as the kernel demands.
    func setCount(
        _ count: Int,
        isProbed: Bool?,
        of device: SysfsDevice,
        isForced: Bool
    ) throws(Problem) {
        let id = device.record.id
        guard case .physical(let limit, let functions)? = device.record.pci?.role else {
            throw ChangeReasons.barred(
                id,
                ["It is no physical function that can have virtual ones."]
            )
        }
        guard (0...limit).contains(count) else {
            var facts = Problem.Facts(device: id)
            facts.pointer = "/count"
            throw Problem(.invalidField, "\(id) can have 0 to \(limit) virtual functions.", facts)
        }
        if count != functions.count { try check(functions, of: id, isForced: isForced) }
        let attribute = "\(device.directory)/sriov_drivers_autoprobe"
        let before = tree.textIfAny("sriov_drivers_autoprobe", in: device.directory)
        do throws(SysfsRefusal) {
            if let isProbed { try writer.set(attribute, to: isProbed ? "1" : "0") }
            guard count != functions.count else { return }
            let number = "\(device.directory)/sriov_numvfs"
            if !functions.isEmpty { try writer.set(number, to: "0") }
            if count != 0 { try writer.set(number, to: "\(count)") }
        } catch {
            var undone: [String] = []
            if isProbed != nil, let before {
                undone += restored("sriov_drivers_autoprobe", before, device)
            }
            if !functions.isEmpty, self.count(of: device) == 0 {
                undone += restored("sriov_numvfs", "\(functions.count)", device)
                undone.append(Self.renewal)
            }
            throw error.problem(id, Self.meaning(of: error, count), undone: undone)
        }
    }

    /// All virtual functions go with a change of their number, those that stay in number too.
    private func check(
        _ functions: [String],
        of physical: DeviceID,
        isForced: Bool
    ) throws(Problem) {
        var reasons = ChangeReasons()
        for name in functions {
            guard let id = DeviceID("pci-\(name)"), let function = inventory.device(id) else {
                continue
            }
            try checkHolders(of: function)
            var own = ChangeReasons()
            addHostUse(of: function, to: &own)
            reasons.warn(own.dangers.map { "\(name): \($0)" })
        }
        try reasons.check(physical, isForced: isForced)
    }

    /// What is true of virtual functions whose number has been 0 meanwhile.
    static let renewal =
        "The virtual functions are new: each has the driver the kernel finds for it."

    /// Tells virtual functions from those that are made in their place; nil where there are none.
    ///
    /// A directory of sysfs has a number that no later one gets, and all of them go together.
    func functions(of device: SysfsDevice) -> String? {
        do {
            let first = try tree.directory(at: "\(device.directory)/virtfn0").identity()
            guard case .other(_, let inode) = first else { return nil }
            return String(inode)
        } catch {
            return nil
        }
    }

    func count(of device: SysfsDevice) -> Int? {
        tree.textIfAny("sriov_numvfs", in: device.directory).flatMap { Int($0) }
    }

    func restored(_ name: String, _ value: String, _ device: SysfsDevice) -> [String] {
        do throws(SysfsRefusal) {
            try writer.set("\(device.directory)/\(name)", to: value)
            return ["Undone: \(name) is \(value) again."]
        } catch {
            return ["Not undone (\(error.operation): \(error.errno.name)): \(name) was \(value)."]
        }
    }

    private static func meaning(of refusal: SysfsRefusal, _ count: Int) -> String? {
        switch refusal.errno {
        case .noEntry: "The driver of the physical function makes no virtual ones, or it has none"
        case .busy: "The virtual functions are in use"
        case .noMemory: "The bus has no numbers or memory for \(count) virtual functions"
        default: nil
        }
    }
}
