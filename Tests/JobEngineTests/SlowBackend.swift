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

    init() throws {
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
        guard let gate = self.gate.withLock({ $0 }) else { return }
        // Longer than any test: only a broken one leaves it closed.
        guard gate.wait(timeout: .now() + 600) == .success else {
            throw Problem(.timedOut, "The test let no change go.")
        }
    }

    func devices() -> [DeviceRecord] { simulated.devices() }
    func device(_ id: DeviceID) -> DeviceRecord? { simulated.device(id) }
    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport { try simulated.probe(id) }
    func holders(of id: DeviceID) -> [Problem.Holder] { [] }
    func initialSessions() -> [any DeviceSession] { simulated.initialSessions() }

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
