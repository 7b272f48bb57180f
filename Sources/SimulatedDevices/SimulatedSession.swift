package import MigrationCore
package import MigrationPorts
internal import Synchronization
internal import SystemIO

/// A simulated device, open.
///
/// Closes it when the last reference goes.
package final class SimulatedSession: DeviceSession {
    private let simulated: SimulatedDevice
    /// Ends every wait of a call when the device is closed.
    private let closing = Interruption()

    init(_ simulated: SimulatedDevice) { self.simulated = simulated }

    deinit { simulated.close(for: self) }

    package var device: DeviceID { simulated.id }
    package var support: MigrationSupport { simulated.support }

    package func state() throws(Errno) -> ReportedState {
        try exclusively(.get) { machine, _, _ throws(Errno) in
            guard machine.profile.flags != nil else { throw .notTypewriter }
            return .known(machine.state)
        }
    }

    package func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)? {
        try simulated.stateLock.withLock { _ throws(Errno) in
            let path = try simulated.path(to: state, by: caller)
            var streamNumber: UInt64?
            for arc in path.arcs {
                streamNumber = try simulated.perform(arc, by: caller, unless: [closing])
            }
            guard let direction = path.newStream, let streamNumber else { return nil }
            return SimulatedStream(simulated, streamNumber, direction, closing)
        }
    }

    package func stopCopyByteCount() throws(Errno) -> UInt64 {
        try exclusively(.dataSize) { machine, _, _ throws(Errno) in
            try machine.stopCopyByteCount()
        }
    }

    /// A simulated device has no address space; a closed one answers like any other.
    package func detach() throws(Errno) { try exclusively(.detach) { _, _, _ throws(Errno) in } }

    package func reset() throws(Errno) {
        try simulated.stateLock.withLock { _ throws(Errno) in
            try simulated.reset(by: caller, unless: [closing])
        }
    }

    package func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        simulated.setSignalHandler(handler, for: self)
    }

    /// A simulated device has no descriptors.
    package func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? { nil }

    /// The device goes with this process.
    package func keptFiles() throws(Errno) -> [KeptFile] { [] }

    /// Ends what waits, then closes: the content is gone.
    package func close() {
        closing.interrupt()
        simulated.stateLock.withLock { _ in simulated.close(for: self) }
    }

    private var caller: SimulatedDevice.Caller { .session(ObjectIdentifier(self)) }

    /// Under the driver's state mutex, so after any SET that is under way.
    private func exclusively<Answer: Sendable>(
        _ event: Fault.Operation,
        _ body: (inout SimulatedMachine, UInt64, Int) throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        try simulated.stateLock.withLock { _ throws(Errno) in
            try simulated.call(event, by: caller, unless: [closing], body)
        }
    }
}
