internal import Dispatch
package import MigrationCore
package import MigrationPorts
internal import Synchronization
internal import SystemIO

/// A simulated device, open.
///
/// Closes it when the last reference goes.
package final class SimulatedSession: DeviceSession {
    private let simulated: SimulatedDevice
    /// Ends the wait of a step when the device is closed.
    private let closing = DispatchSemaphore(value: 0)

    init(_ simulated: SimulatedDevice) { self.simulated = simulated }

    deinit { simulated.close(for: self) }

    package var device: DeviceID { simulated.id }
    package var support: MigrationSupport { simulated.support }

    package func state() throws(Errno) -> ReportedState {
        try exclusively { machine, now throws(Errno) in
            guard machine.profile.flags != nil else { throw .notTypewriter }
            machine.advance(to: now)
            return .known(machine.state)
        }
    }

    package func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)? {
        try simulated.stateLock.withLock { _ throws(Errno) in
            let path = try simulated.withMachine(for: self) { machine, _ throws(Errno) in
                try machine.path(to: state)
            }
            var streamNumber: UInt64?
            for arc in path.arcs {
                try waitForArc()
                streamNumber = try simulated.withMachine(for: self) { machine, now throws(Errno) in
                    try machine.perform(arc, at: now)
                    return machine.streamNumber
                }
            }
            guard let direction = path.newStream, let streamNumber else { return nil }
            return SimulatedStream(simulated, streamNumber, direction)
        }
    }

    package func stopCopyByteCount() throws(Errno) -> UInt64 {
        try exclusively { machine, now throws(Errno) in
            machine.advance(to: now)
            return try machine.stopCopyByteCount()
        }
    }

    /// A simulated device has no address space; a closed one answers like any other.
    package func detach() throws(Errno) { _ = try state() }

    package func reset() throws(Errno) {
        try exclusively { machine, now throws(Errno) in try machine.reset(at: now) }
    }

    package func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        simulated.setSignalHandler(handler, for: self)
    }

    /// A simulated device has no descriptors.
    package func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? { nil }

    /// The device goes with this process.
    package func keptFiles() throws(Errno) -> [KeptFile] { [] }

    /// Ends a step that is waiting, then closes: the content is gone.
    package func close() {
        closing.signal()
        simulated.stateLock.withLock { _ in simulated.close(for: self) }
    }

    /// Under the driver's state mutex, so after any SET that is under way.
    private func exclusively<Answer: Sendable>(
        _ body: (inout SimulatedMachine, UInt64) throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        try simulated.stateLock.withLock { _ throws(Errno) in
            try simulated.withMachine(for: self, body)
        }
    }

    /// Takes the time a step of this device takes; ENODEV when the device is closed meanwhile.
    private func waitForArc() throws(Errno) {
        let (seconds, attoseconds) = simulated.spec.arcLatency.components
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        guard nanoseconds > 0 else { return }
        guard closing.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .timedOut else {
            throw .noDevice
        }
    }
}
