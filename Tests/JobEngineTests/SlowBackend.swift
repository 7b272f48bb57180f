import Dispatch
import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization

/// Simulated devices that change hands, for as long as a test lets them.
final class SlowBackend: DeviceBackend {
    private let simulated: SimulatedBackend
    // Guards what was asked for; a leaf.
    private let made = Mutex<[DeviceChange]>([])
    // Guards what changes wait for; a leaf.
    private let gate = Mutex<DispatchSemaphore?>(nil)
    // Guards where the devices are on their made-up host, and what a test wants of it; a leaf.
    private let host = Mutex(Host())
    private let isOpenAtStart: Bool

    struct Host: Sendable {
        var places: [DeviceID: DevicePlace] = [:]
        /// What changes are refused with.
        var refusal: Problem?
        /// What is found of a device, instead of what the simulation says.
        var onLook: (@Sendable (DeviceRecord) -> DeviceRecord)?
        /// Called while a change is made.
        var onChange: (@Sendable () -> Void)?
        /// What is found of a change that a daemon died in.
        var remains: Result<ChangeRemains?, Problem> = .success(.untouched)
        /// What was settled, and where the device was before, as the engine said it.
        var settled: [DeviceID: DevicePlace?] = [:]
    }

    init(isOpenAtStart: Bool = true) throws {
        self.isOpenAtStart = isOpenAtStart
        simulated = try SimulatedBackend(
            try ["mtty", "mtty"].map { try SimulationSpec.parse($0) }
        )
    }

    /// What was asked for, whether it is done or not.
    var changes: [DeviceChange] { made.withLock { $0 } }

    /// Changes that begin now do not end, as those of the kernel do not while a file is open.
    func holdsOn() { gate.withLock { $0 = DispatchSemaphore(value: 0) } }

    /// Lets the change that waits come to its end, and those after it too.
    func letGo() {
        gate.withLock { gate in
            gate?.signal()
            gate = nil
        }
    }

    func change(_ id: DeviceID, _ change: DeviceChange) throws(Problem) {
        made.withLock { $0.append(change) }
        let (refusal, onChange) = host.withLock { ($0.refusal, $0.onChange) }
        onChange?()
        // Longer than any test: only a broken one leaves it closed.
        if let gate = gate.withLock({ $0 }), gate.wait(timeout: .now() + 120) == .timedOut {
            throw Problem(.timedOut, "The test let no change go.")
        }
        if let refusal { throw refusal }
        guard case .bind(let driver?, _) = change else { return }
        host.withLock {
            $0.places[id] = DevicePlace(driver: driver, driverOverride: driver)
        }
    }

    func with<Value: Sendable>(_ work: (inout Host) -> Value) -> Value {
        host.withLock { work(&$0) }
    }

    func place(of id: DeviceID) -> DevicePlace? { host.withLock { $0.places[id] } }

    func settle(
        _ action: AuditRecord.Action,
        of id: DeviceID,
        before: DevicePlace?
    ) throws(Problem) -> ChangeRemains? {
        let remains = host.withLock { host in
            host.settled[id] = before
            return host.remains
        }
        return try remains.get()
    }

    func devices() -> [DeviceRecord] { simulated.devices() }
    func device(_ id: DeviceID) -> DeviceRecord? {
        guard let record = simulated.device(id) else { return nil }
        let onLook = host.withLock { $0.onLook }
        return onLook?(record) ?? record
    }
    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport { try simulated.probe(id) }
    func holders(of id: DeviceID) -> [Problem.Holder] { [] }
    func initialSessions() -> [any DeviceSession] {
        isOpenAtStart ? simulated.initialSessions() : []
    }

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
}

extension Requester {
    static let test = Self(name: "test", requestID: "r-1")
}
