internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// A device ferryd holds open.
final class OpenSession: Sendable {
    let device: DrivenDevice
    /// What the inventory said of the device when it was opened.
    let facts: DeviceRecord
    /// Guards what is known of the session, never a call into the device.
    ///
    /// A leaf.
    private let state: Mutex<Shared<SessionRecord>>

    init(_ record: SessionRecord, _ device: DrivenDevice, facts: DeviceRecord) {
        self.device = device
        self.facts = facts
        self.state = Mutex(Shared(record))
    }

    var record: SessionRecord { shared.value }

    /// The record, for who keeps or compares it.
    var shared: Shared<SessionRecord> { state.withLock { $0 } }

    /// Why a device that was stopped for an image may not run again.
    func stopped(for image: ImageID) -> Problem {
        var facts = Problem.Facts(device: device.device)
        facts.session = record.id
        facts.image = image
        return Problem(
            .copyNotAccepted,
            "\(device.device) was stopped for image \(image), where its content goes on from: "
                + "restore that, onto \(device.device) too.",
            facts
        )
    }

    /// Why its content may not be run or moved; nil when it may.
    var bar: Problem? {
        let record = record
        if let image = record.stoppedImage { return stopped(for: image) }
        guard let job = record.barredBy else { return nil }
        var facts = Problem.Facts(device: record.device)
        facts.session = record.id
        facts.blockingJob = job
        return Problem(
            .jobCommitted,
            "Job \(job) was resolved to nobody: the content of \(record.device) may not run. Reset "
                + "the device, or close the session with discard_content.",
            facts
        )
    }

    /// What its times are learned under: a simulation of a driver is not the driver.
    var driverName: String {
        let name = facts.driver ?? "none"
        return facts.backend == .simulated ? "simulated \(name)" : name
    }

    /// Changes the record and returns it for the store.
    func update(_ change: (inout SessionRecord) -> Void) -> SessionRecord {
        state.withLock { state in
            var record = state.value
            change(&record)
            state = Shared(record)
            return record
        }
    }
}

/// The sessions: open ones with their devices, and the last ended ones as records.
final class SessionTable: Sendable {
    private struct State {
        var open: [SessionID: OpenSession] = [:]
        var byDevice: [DeviceID: OpenSession] = [:]
        /// Oldest first.
        var ended: [SessionRecord] = []
    }

    /// Ended sessions kept in memory, as many as in the store.
    private let endedLimit: Int
    /// Guards the table, never a device.
    ///
    /// Before `OpenSession`'s lock.
    private let state = Mutex(State())

    init(endedLimit: Int) { self.endedLimit = endedLimit }

    func insert(_ session: OpenSession) {
        let record = session.record
        state.withLock { state in
            state.open[record.id] = session
            state.byDevice[record.device] = session
        }
    }

    func insertEnded(_ records: [SessionRecord]) {
        state.withLock { $0.ended = Array(records.suffix(endedLimit)) }
    }

    /// Takes a session off the open ones; its record stays.
    func end(_ session: OpenSession) {
        let record = session.record
        state.withLock { state in
            guard state.open.removeValue(forKey: record.id) != nil else { return }
            if state.byDevice[record.device] === session { state.byDevice[record.device] = nil }
            state.ended.append(record)
            if state.ended.count > endedLimit { state.ended.removeFirst() }
        }
    }

    /// Forgets ended sessions.
    func forget(_ ids: Set<SessionID>) {
        guard !ids.isEmpty else { return }
        state.withLock { $0.ended.removeAll { ids.contains($0.id) } }
    }

    func open(on device: DeviceID) -> OpenSession? {
        state.withLock { $0.byDevice[device] }
    }

    /// All open sessions by their devices.
    var openByDevice: [DeviceID: OpenSession] { state.withLock { $0.byDevice } }

    func open(_ id: SessionID) -> OpenSession? { state.withLock { $0.open[id] } }

    var allOpen: [OpenSession] { state.withLock { Array($0.open.values) } }

    func record(_ id: SessionID) -> SessionRecord? {
        state.withLock { state in
            state.open[id]?.record ?? state.ended.last { $0.id == id }
        }
    }

    /// Newest first.
    var records: [SessionRecord] {
        let all = state.withLock { state in state.open.values.map(\.record) + state.ended }
        return all.sorted { ($0.openedAt, $0.id) > ($1.openedAt, $1.id) }
    }
}
