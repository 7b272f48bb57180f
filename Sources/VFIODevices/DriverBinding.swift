internal import MigrationCore
internal import SystemIO

/// Moves one device from driver to driver by its `driver_override`, and takes back what was done
/// when a later step is refused.
///
/// Drivers are asked by their own `bind`, because that one tells why a driver does not take a
/// device; `drivers_probe` succeeds whatever they say.
struct DriverBinding {
    private let device: DeviceID
    private let bus: String
    private let directory: String
    private let name: String
    private let tree: ConfinedTree
    private let writer: SysfsWriter

    /// Nil for a device whose directory names no bus.
    init?(_ device: SysfsDevice, _ tree: ConfinedTree, _ writer: SysfsWriter) {
        guard
            let bus = tree.linkTargetIfAny("subsystem", in: device.directory)
                .flatMap(SysfsPath.lastName)
        else { return nil }
        self.device = device.record.id
        self.bus = bus
        self.directory = device.directory
        self.name = device.kernelName
        self.tree = tree
        self.writer = writer
    }

    /// The driver that has the device now.
    var driver: String? {
        tree.linkTargetIfAny("driver", in: directory).flatMap(SysfsPath.lastName)
    }

    /// What is had back when a step is refused.
    var place: DevicePlace {
        DevicePlace(
            driver: driver,
            driverOverride: SysfsDeviceReader.override(
                tree.textIfAny("driver_override", in: directory)
            )
        )
    }

    /// Whether the kernel has a driver of this name for the device's bus.
    func hasDriver(_ driver: String) -> Bool {
        SysfsPath.isName(driver) && tree.hasDirectory(at: "\(drivers)/\(driver)")
    }

    /// Binds the device to a driver that may have it only by its override, which stays.
    func bind(to driver: String) throws(Problem) {
        let before = place
        guard before.driver != driver || before.driverOverride != driver else { return }
        try undoing(before) { () throws(SysfsRefusal) in
            try setOverride(driver)
            guard before.driver != driver else { return }
            try detach()
            try attach(to: driver)
        }
    }

    /// Takes the device off its driver and the override away, and gives it to another one, or to
    /// the first the kernel finds.
    func release(to driver: String?) throws(Problem) {
        let before = place
        try undoing(before) { () throws(SysfsRefusal) in
            try setOverride(nil)
            if driver == nil || before.driver != driver { try detach() }
            guard let driver else {
                return try writer.set("sys/bus/\(bus)/drivers_probe", to: name)
            }
            if before.driver != driver { try attach(to: driver) }
        }
    }

    // MARK: Steps

    private var drivers: String { "sys/bus/\(bus)/drivers" }
    private var overridePath: String { "\(directory)/driver_override" }

    /// An empty line takes the override away.
    private func setOverride(_ driver: String?) throws(SysfsRefusal) {
        try writer.set(overridePath, to: "\(driver ?? "")\n")
    }

    private func detach() throws(SysfsRefusal) {
        guard let driver else { return }
        try writer.set("\(drivers)/\(driver)/unbind", to: name)
    }

    private func attach(to driver: String) throws(SysfsRefusal) {
        let path = "\(drivers)/\(driver)/bind"
        try writer.set(path, to: name)
        // A driver may take a device and let it go again without a word.
        guard self.driver == driver else { throw SysfsRefusal(path: path, errno: .noDevice) }
    }

    private func undoing(
        _ before: DevicePlace,
        _ steps: () throws(SysfsRefusal) -> Void
    ) throws(Problem) {
        do throws(SysfsRefusal) {
            try steps()
        } catch {
            throw error.problem(device, meaning(of: error), undone: restore(before))
        }
    }

    /// Has everything as it was, as far as the kernel lets it, and tells what became of it.
    func restore(_ before: DevicePlace) -> [String] {
        var told: [String] = []
        if place.driverOverride != before.driverOverride {
            told.append(
                outcome("its driver_override is \(before.driverOverride ?? "empty") again") {
                    () throws(SysfsRefusal) in try setOverride(before.driverOverride)
                }
            )
        }
        guard place.driver != before.driver else { return told }
        told.append(
            outcome("\(before.driver.map { "\($0) has it" } ?? "it has no driver") again") {
                () throws(SysfsRefusal) in
                try detach()
                guard let driver = before.driver else { return }
                try attach(to: driver, under: before.driverOverride)
            }
        )
        return told
    }

    /// Gives the device to a driver that had it before, under the override of that time.
    ///
    /// A driver keeps a device when another one is named for it later, but the kernel lets none
    /// have it that is not the one named.
    private func attach(to driver: String, under override: String?) throws(SysfsRefusal) {
        guard let override, override != driver else { return try attach(to: driver) }
        try setOverride(driver)
        let refusal = self.refusal { () throws(SysfsRefusal) in try attach(to: driver) }
        try setOverride(override)
        if let refusal { throw refusal }
    }

    private func refusal(_ step: () throws(SysfsRefusal) -> Void) -> SysfsRefusal? {
        do throws(SysfsRefusal) { try step() } catch { return error }
        return nil
    }

    private func outcome(
        _ sentence: String,
        _ step: () throws(SysfsRefusal) -> Void
    ) -> String {
        do throws(SysfsRefusal) {
            try step()
            return "Undone: \(sentence)."
        } catch {
            return "Not undone (\(error.operation): \(error.errno.name)): not \(sentence)."
        }
    }

    private func meaning(of refusal: SysfsRefusal) -> String? {
        guard refusal.path.hasSuffix("/bind") else { return nil }
        let driver = SysfsPath.lastName(SysfsPath.parent(refusal.path)) ?? ""
        switch refusal.errno {
        case .noDevice: return "The driver \(driver) does not take \(device)"
        case .busy: return "\(device), or its IOMMU group, is in use: \(driver) cannot have it"
        case .invalid: return "The driver \(driver) finds \(device) unfit: has it an IOMMU?"
        default: return nil
        }
    }
}
