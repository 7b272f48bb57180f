internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// A migration stream of a simulated device: the counterpart of a data_fd.
final class SimulatedStream: MigrationStream {
    private let simulated: SimulatedDevice
    private let number: UInt64
    private let direction: StreamDirection
    /// End the waits of a call: the close of the device, and that of the stream.
    private let interruptions: [Interruption]
    private let closing = Interruption()
    private let isClosed = Atomic(false)

    init(
        _ simulated: SimulatedDevice,
        _ number: UInt64,
        _ direction: StreamDirection,
        _ closingOfDevice: Interruption
    ) {
        self.simulated = simulated
        self.number = number
        self.direction = direction
        self.interruptions = [closingOfDevice, closing]
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try checkUse(.save)
        return try call(.read) { machine, now, limit throws(Errno) in
            let count = min(limit, buffer.count)
            return try unsafe machine.read(
                number,
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]),
                at: now
            )
        }
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try checkUse(.resume)
        return try call(.write) { machine, now, limit throws(Errno) in
            let count = min(limit, buffer.count)
            return try unsafe machine.write(
                number,
                UnsafeRawBufferPointer(rebasing: buffer[..<count]),
                at: now
            )
        }
    }

    func preCopyInfo() throws(Errno) -> PreCopyInfo {
        guard !isClosed.load(ordering: .acquiring) else { throw .noDevice }
        // The kernel takes the driver's state mutex for it too.
        return try simulated.stateLock.withLock { _ throws(Errno) in
            try call(.preCopyInfo) { machine, now, _ throws(Errno) in
                let info = try machine.preCopyInfo(number, at: now)
                return PreCopyInfo(initialByteCount: info.initial, dirtyByteCount: info.dirty)
            }
        }
    }

    func close() {
        isClosed.store(true, ordering: .releasing)
        closing.interrupt()
    }

    private func call<Answer: Sendable>(
        _ event: Fault.Operation,
        _ body: (inout SimulatedMachine, UInt64, Int) throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        try simulated.call(event, by: .stream(number), unless: interruptions, body)
    }

    /// The VFS looks at the mode of the descriptor before the driver sees anything.
    private func checkUse(_ wanted: StreamDirection) throws(Errno) {
        guard !isClosed.load(ordering: .acquiring) else { throw .noDevice }
        guard direction == wanted else { throw .badDescriptor }
    }
}
