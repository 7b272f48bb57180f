package import MigrationCore
package import MigrationPorts

/// The devices a check works on.
///
/// Opens them, and closes again what a check left open.
package final class ConformanceBench {
    let backend: any DeviceBackend
    let device: DeviceID
    let partner: DeviceID?
    private var open: [any DeviceSession] = []
    /// Sessions the backend came with; they hold content until a check opens their device.
    private var initial: [DeviceID: any DeviceSession] = [:]

    package init(
        _ backend: any DeviceBackend,
        device: DeviceID,
        partner: DeviceID? = nil
    ) {
        self.backend = backend
        self.device = device
        self.partner = partner
        for session in backend.initialSessions() {
            if session.device == device || session.device == partner {
                initial[session.device] = session
            } else {
                session.close()
            }
        }
    }

    /// Why a check cannot run, if it cannot.
    func missing(_ need: ConformanceCheck.Need) throws -> String? {
        let support = try supportOfDevice()
        switch need {
        case .device: return nil
        case .noMigration:
            return support == .none ? nil : "the device has migration support"
        case .flags(let flags):
            guard let present = support.flags else { return "the device has no state stream" }
            let missing = flags.subtracting(present).names.joined(separator: ", ")
            return missing.isEmpty ? nil : "the device lacks \(missing)"
        case .pair:
            guard support.flags != nil else { return "the device has no state stream" }
            return partner == nil ? "there is no second device" : nil
        }
    }

    /// Opens the device afresh: whatever it held is gone.
    func openDevice() throws -> Subject { try open(device) }

    /// Opens the second device afresh.
    func openPartner(joining companion: Subject? = nil) throws -> Subject {
        guard let partner else { throw Skip(reason: "there is no second device") }
        return try open(partner, joining: companion)
    }

    /// Leaves a check that shows a loss out where nothing could be lost.
    func requireContent() throws {
        guard initial[device] != nil else { throw Skip(reason: "the device came with no content") }
    }

    /// Opens the device with content in it, if the backend came with such a session.
    func openDeviceWithContent() throws -> Subject {
        guard let session = initial.removeValue(forKey: device) else { return try openDevice() }
        open.append(session)
        return Subject(session)
    }

    func open(_ id: DeviceID, joining companion: Subject? = nil) throws -> Subject {
        initial.removeValue(forKey: id)?.close()
        let session = try backend.open(id, joining: companion?.session)
        open.append(session)
        return Subject(session)
    }

    /// Frees a device the backend came with, for calls that need it idle.
    func idle(_ id: DeviceID) { initial.removeValue(forKey: id)?.close() }

    /// Sees to the closing of a session a check got by itself.
    func adopt(_ session: any DeviceSession) -> Subject {
        open.append(session)
        return Subject(session)
    }

    /// The simulation's own digest of what a device holds.
    func digest(of id: DeviceID) throws -> String {
        guard let facts = backend.device(id)?.simulation else {
            throw Skip(reason: "only a simulation shows what a device holds")
        }
        return facts.contentDigest
    }

    func closeAll() {
        for session in open { session.close() }
        open = []
    }

    private func supportOfDevice() throws -> MigrationSupport {
        if let session = initial[device] { return session.support }
        let session = try backend.open(device, joining: nil)
        defer { session.close() }
        return session.support
    }
}
