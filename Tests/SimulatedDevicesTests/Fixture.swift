import MigrationCore
import MigrationPorts
import SimulatedDevices
import Synchronization
import SystemIO
import Testing

/// A clock that stands still until a test moves it.
final class HandClock: HostClock {
    // Guards the time; a leaf of the lock order.
    private let nanoseconds = Mutex<UInt64>(1_000_000_000)

    func advance(by duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let step = UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
        nanoseconds.withLock { $0 += step }
    }

    func monotonicNanoseconds() -> UInt64 { nanoseconds.withLock { $0 } }

    func timestamp() -> Timestamp {
        Timestamp(millisecondsSinceEpoch: Int64(monotonicNanoseconds() / 1_000_000))
    }
}

/// A small generator with a seed, so that every random run can be run again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// A backend of simulated devices with their first sessions, which hold content.
struct Fixture {
    let backend: SimulatedBackend
    let clock = HandClock()
    private let sessions: [DeviceID: any DeviceSession]

    init(_ specs: String...) throws {
        try self.init(specs.map { try SimulationSpec.parse($0) })
    }

    init(_ specs: [SimulationSpec]) throws {
        backend = try SimulatedBackend(specs, clock: clock)
        var sessions: [DeviceID: any DeviceSession] = [:]
        for session in backend.initialSessions() { sessions[session.device] = session }
        self.sessions = sessions
    }

    /// The first session of `sim-N`.
    subscript(number: Int) -> any DeviceSession {
        get throws { try #require(sessions[id(number)]) }
    }

    func id(_ number: Int) throws -> DeviceID {
        let id = DeviceID("sim-\(number)")
        return try #require(id)
    }

    func digest(_ number: Int) throws -> String {
        let facts = backend.device(try id(number))?.simulation
        return try #require(facts).contentDigest
    }
}

extension DeviceSession {
    /// SET that must give a stream.
    func stream(_ state: DeviceState) throws -> any MigrationStream {
        let stream = try set(state)
        return try #require(stream)
    }

    /// The whole state, read in STOP_COPY.
    func save() throws -> [UInt8] { try stream(.stopCopy).readAll() }

    /// Writes a whole state and goes to STOP.
    func load(_ bytes: [UInt8]) throws {
        try stream(.resuming).writeAll(bytes)
        _ = try set(.stop)
    }

    func expect(_ state: DeviceState, _ location: SourceLocation = #_sourceLocation) throws {
        #expect(try self.state() == .known(state), sourceLocation: location)
    }
}

extension MigrationStream {
    /// Reads until there is no more, for now or for good: 0 or ENOMSG.
    func readAll(piece: () -> Int = { 8192 }) throws -> [UInt8] {
        var buffer = IOBuffer(byteCount: 8192)
        var bytes: [UInt8] = []
        while true {
            let wanted = piece()
            if unsafe wanted > buffer.bytes.count { buffer = IOBuffer(byteCount: wanted) }
            do throws(Errno) {
                let count = try unsafe read(
                    into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<wanted])
                )
                if count == 0 { return bytes }
                unsafe bytes.append(contentsOf: buffer.prefix(count))
            } catch {
                guard error == .noMessage else { throw error }
                return bytes
            }
        }
    }

    func writeAll(_ bytes: [UInt8], piece: () -> Int = { 8192 }) throws {
        var done = 0
        while done < bytes.count {
            let end = min(bytes.count, done + piece())
            done += try unsafe bytes[done..<end].withUnsafeBytes { try unsafe write($0) }
        }
    }
}

/// The errno a body fails with, or nil when it succeeds.
func errno(_ body: () throws -> Void) throws -> Errno? {
    do {
        try body()
        return nil
    } catch let errno as Errno {
        return errno
    }
}
