internal import APISchema
internal import MigrationCore

/// The devices of a request, by what the kind of the job needs of each.
extension JobSpec {
    static func sources(_ devices: [JobRequestDeviceDTO]) throws(Problem) -> [DeviceID] {
        var sources: [DeviceID] = []
        for (index, device) in devices.enumerated() {
            try refuse(device.target, at: "/devices/\(index)/target")
            sources.append(try required(device.source, at: "/devices/\(index)/source"))
        }
        return sources
    }

    static func pairs(_ devices: [JobRequestDeviceDTO]) throws(Problem) -> [DevicePair] {
        var pairs: [DevicePair] = []
        for (index, device) in devices.enumerated() {
            pairs.append(
                DevicePair(
                    source: try required(device.source, at: "/devices/\(index)/source"),
                    target: try required(device.target, at: "/devices/\(index)/target")
                )
            )
        }
        return pairs
    }

    static func restoreMembers(
        _ devices: [JobRequestDeviceDTO]
    ) throws(Problem) -> [RestoreMember] {
        var members: [RestoreMember] = []
        for (index, device) in devices.enumerated() {
            let source = try device.source.map { source throws(Problem) -> DeviceID in
                try RequestField.identifier(source, at: "/devices/\(index)/source")
            }
            let target: DeviceID = try required(device.target, at: "/devices/\(index)/target")
            members.append(RestoreMember(source: source, target: target))
        }
        return members
    }

    /// A device cannot be in a set twice, nor be its own target.
    ///
    /// The `source` of a restore names a member of the image, which may be the target as well.
    static func refuseRepetition(
        in devices: [JobRequestDeviceDTO],
        of kind: JobKind
    ) throws(Problem) {
        var sources: Set<String> = []
        var used: Set<String> = []
        for (index, device) in devices.enumerated() {
            if let source = device.source {
                let isNew = sources.insert(source).inserted
                guard isNew, kind == .restore || used.insert(source).inserted else {
                    throw repeated(at: "/devices/\(index)/source")
                }
            }
            if let target = device.target, !used.insert(target).inserted {
                throw repeated(at: "/devices/\(index)/target")
            }
        }
    }

    private static func repeated(at pointer: String) -> Problem {
        RequestField.problem(at: pointer, "A device stands in a job once.")
    }

    private static func required(
        _ text: String?,
        at pointer: String
    ) throws(Problem) -> DeviceID {
        guard let text else { throw RequestField.problem(at: pointer, "The field is missing.") }
        return try RequestField.identifier(text, at: pointer)
    }

    private static func refuse(_ text: String?, at pointer: String) throws(Problem) {
        guard text == nil else {
            throw RequestField.problem(at: pointer, "This kind of job has no target.")
        }
    }
}
