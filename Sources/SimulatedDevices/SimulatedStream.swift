internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// A migration stream of a simulated device: the counterpart of a data_fd.
final class SimulatedStream: MigrationStream {
    private let simulated: SimulatedDevice
    private let number: UInt64
    private let direction: StreamDirection
    private let isClosed = Atomic(false)

    init(_ simulated: SimulatedDevice, _ number: UInt64, _ direction: StreamDirection) {
        self.simulated = simulated
        self.number = number
        self.direction = direction
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        try checkUse(.save)
        return try simulated.withMachine { machine, now throws(Errno) in
            try unsafe machine.read(number, into: buffer, at: now)
        }
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        try checkUse(.resume)
        return try simulated.withMachine { machine, now throws(Errno) in
            try unsafe machine.write(number, buffer, at: now)
        }
    }

    func preCopyInfo() throws(Errno) -> PreCopyInfo {
        guard !isClosed.load(ordering: .acquiring) else { throw .noDevice }
        // The kernel takes the driver's state mutex for it too.
        return try simulated.stateLock.withLock { _ throws(Errno) in
            let info = try simulated.withMachine { machine, now throws(Errno) in
                try machine.preCopyInfo(number, at: now)
            }
            return PreCopyInfo(initialByteCount: info.initial, dirtyByteCount: info.dirty)
        }
    }

    func close() { isClosed.store(true, ordering: .releasing) }

    /// The VFS looks at the mode of the descriptor before the driver sees anything.
    private func checkUse(_ wanted: StreamDirection) throws(Errno) {
        guard !isClosed.load(ordering: .acquiring) else { throw .noDevice }
        guard direction == wanted else { throw .badDescriptor }
    }
}
