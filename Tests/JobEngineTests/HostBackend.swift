import MigrationCore
import MigrationPorts
import SimulatedDevices

/// Simulated devices that say they are the host's own, with sessions as somebody left them.
final class HostBackend: DeviceBackend {
    private let simulated: SimulatedBackend
    private let initial: [any DeviceSession]

    init(_ spec: String, left state: DeviceState? = nil) throws {
        simulated = try SimulatedBackend([try SimulationSpec.parse(spec)])
        initial = simulated.initialSessions()
        for session in initial { if let state { _ = try session.set(state) } }
    }

    func devices() -> [DeviceRecord] { simulated.devices().map(Self.hosted) }
    func device(_ id: DeviceID) -> DeviceRecord? { simulated.device(id).map(Self.hosted) }
    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport { try simulated.probe(id) }
    func holders(of id: DeviceID) -> [Problem.Holder] { [] }
    var remakesContent: Bool { simulated.remakesContent }
    func initialSessions() -> [any DeviceSession] { initial }

    func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        try simulated.open(id, joining: companion)
    }

    func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        try simulated.adopt(id, descriptors)
    }

    func resume(_ id: DeviceID, _ files: [KeptFile]) throws(Problem) -> any DeviceSession {
        try simulated.resume(id, files)
    }

    private static func hosted(_ record: DeviceRecord) -> DeviceRecord {
        var hosted = DeviceRecord(
            id: record.id,
            backend: .kernel,
            bus: .mdev,
            address: record.address,
            support: record.support
        )
        hosted.driver = record.driver
        hosted.vendorID = record.vendorID
        hosted.deviceID = record.deviceID
        return hosted
    }
}
