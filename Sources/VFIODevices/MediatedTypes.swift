internal import MigrationCore
internal import SystemIO

/// Mediated devices: the types that parents offer, and devices made of them.
extension HostChanges {
    static let parents = "sys/class/mdev_bus"
    static let devices = "sys/bus/mdev/devices"
    /// Types that are told of at most.
    private static let typeLimit = 4096

    /// Every type of every parent, by their names.
    func types() -> [MediatedType] {
        var types: [MediatedType] = []
        for parent in tree.links(in: Self.parents) {
            let directory = typesDirectory(of: parent.target)
            for name in tree.namesIfAny(in: directory) where types.count < Self.typeLimit {
                types.append(type(name, of: parent.name, in: "\(directory)/\(name)"))
            }
        }
        return types
    }

    /// Makes a device and tells its id; nil when this host has no such parent.
    ///
    /// A device that VFIO does not get is removed again.
    func create(_ request: MediatedRequest) throws(Problem) -> DeviceID? {
        guard let target = tree.linkTargetIfAny(request.parent, in: Self.parents) else {
            return nil
        }
        let types = typesDirectory(of: target)
        guard SysfsPath.isName(request.type), tree.namesIfAny(in: types).contains(request.type)
        else {
            var facts = Problem.Facts()
            facts.pointer = "/type"
            throw Problem(
                .invalidField,
                "\(request.parent) has no type \(request.type).",
                facts
            )
        }
        let device = request.device
        do throws(SysfsRefusal) {
            try writer.set("\(types)/\(request.type)/create", to: request.uuid)
        } catch {
            throw error.problem(device, Self.meaning(of: error, request), undone: [])
        }
        if let made = self.device(request.uuid) { return made }
        throw SysfsRefusal(path: "\(types)/\(request.type)/create", errno: .noDevice)
            .problem(device, "No driver took the new device", undone: [removed(request.uuid)])
    }

    /// The device that was made with a UUID; nil when there is none, or VFIO does not have it.
    func device(_ uuid: String) -> DeviceID? {
        guard MediatedRequest.canonical(uuid) == uuid,
            tree.linkTargetIfAny(uuid, in: Self.devices) != nil
        else { return nil }
        // An mdev is named by what it is: those of subchannels and AP matrices have ids of their own.
        for prefix in ["mdev-", "ap-"] {
            if let id = DeviceID(prefix + uuid), inventory.device(id) != nil { return id }
        }
        return inventory.devices().first { SysfsPath.lastName($0.directory) == uuid }?.record.id
    }

    func remove(_ device: SysfsDevice) throws(Problem) {
        guard device.record.mediated != nil else {
            throw ChangeReasons.barred(device.record.id, ["It is no mediated device."])
        }
        try checkHolders(of: device)
        do throws(SysfsRefusal) {
            try writer.set("\(device.directory)/remove", to: "1")
        } catch {
            throw error.problem(device.record.id, nil, undone: [])
        }
    }

    func removed(_ uuid: String) -> String {
        guard let target = tree.linkTargetIfAny(uuid, in: Self.devices) else {
            return "Undone: the device is gone again."
        }
        let path = SysfsPath.resolve(target, in: Self.devices)
        do throws(SysfsRefusal) {
            try writer.set("\(path)/remove", to: "1")
            return "Undone: the device is removed again."
        } catch {
            return "Not undone (\(error.operation): \(error.errno.name)): the device \(uuid) stays."
        }
    }

    private func typesDirectory(of target: String) -> String {
        SysfsPath.resolve(target, in: Self.parents) + "/mdev_supported_types"
    }

    private func type(_ name: String, of parent: String, in directory: String) -> MediatedType {
        var type = MediatedType(parent: parent, type: name)
        type.name = tree.textIfAny("name", in: directory)
        type.deviceAPI = tree.textIfAny("device_api", in: directory)
        type.availableCount = tree.textIfAny("available_instances", in: directory)
            .flatMap { Int($0) }
        type.description = tree.textIfAny("description", in: directory)
        return type
    }

    private static func meaning(
        of refusal: SysfsRefusal,
        _ request: MediatedRequest
    ) -> String? {
        switch refusal.errno {
        case .exists: "There is a mediated device \(request.uuid) already"
        case .tooManyUsers, .noSpace: "\(request.parent) has no more room for \(request.type)"
        case .noDevice: "\(request.parent) is going away"
        default: nil
        }
    }
}
