import MigrationCore
import MigrationPorts
import SystemIO

/// An open device under test.
struct Subject {
    let session: any DeviceSession

    init(_ session: any DeviceSession) { self.session = session }

    var flags: MigrationFlags { session.support.flags ?? [] }

    /// More than any state a check is run with.
    static let byteLimit = 1 << 28

    /// SET, made again when a signal interrupted it.
    func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)? {
        while true {
            do {
                return try session.set(state)
            } catch {
                guard error == .interrupted else { throw error }
            }
        }
    }

    /// SET that must lead to the state, and give a stream exactly if the kernel's table says so.
    @discardableResult
    func enter(_ target: DeviceState) throws -> (any MigrationStream)? {
        let path = try MigrationStateMachine.path(from: try state(), to: target, flags: flags)
        let stream: (any MigrationStream)?
        do {
            stream = try set(target)
        } catch {
            throw Violation(text: "SET \(target.kernelName) failed with \(error.name)")
        }
        try expectState(target)
        try expect(
            (stream != nil) == (path.newStream != nil),
            "SET \(target.kernelName) gave \(stream == nil ? "no" : "a") stream"
        )
        return stream
    }

    /// Enters a state whose SET gives a stream.
    func enterWithStream(_ target: DeviceState) throws -> any MigrationStream {
        guard let stream = try enter(target) else {
            throw Violation(text: "SET \(target.kernelName) gave no stream")
        }
        return stream
    }

    func state() throws -> DeviceState {
        let reported = try session.state()
        guard case .known(let state) = reported else {
            throw Violation(text: "the device is in \(reported.kernelName)")
        }
        return state
    }

    func expectState(_ expected: DeviceState) throws {
        let reported = try session.state()
        try expect(
            reported == .known(expected),
            "the state is \(reported.kernelName), not \(expected.kernelName)"
        )
    }

    /// SET that must be refused with one of these errnos, the state being kept.
    func expectRefused(_ target: DeviceState, _ allowed: Set<Errno>) throws {
        let before = try state()
        try expectErrno(allowed, "SET \(target.kernelName)") { _ = try set(target) }
        try expectState(before)
    }

    /// Saves the whole state: ends in STOP_COPY with the stream read to its end.
    func save(pieces: [Int] = [65_536]) throws -> [UInt8] {
        try readToEnd(enterWithStream(.stopCopy), pieces: pieces)
    }

    /// Writes a saved state: ends in RESUMING.
    @discardableResult
    func load(_ bytes: [UInt8], pieces: [Int] = [65_536]) throws -> any MigrationStream {
        let stream = try enterWithStream(.resuming)
        try writeAll(bytes, to: stream, pieces: pieces)
        return stream
    }
}

/// Reads until the end of a STOP_COPY stream.
func readToEnd(_ stream: any MigrationStream, pieces: [Int] = [65_536]) throws -> [UInt8] {
    try read(stream, pieces: pieces)
}

/// Reads until a pre-copy stream has no more for now, which 0 and ENOMSG both say.
func readToTemporaryEnd(_ stream: any MigrationStream) throws -> [UInt8] {
    do {
        return try read(stream, pieces: [65_536], endsAtNoMessage: true)
    } catch let errno as Errno {
        throw Violation(text: "a read in pre-copy failed with \(errno.name)")
    }
}

private func read(
    _ stream: any MigrationStream,
    pieces: [Int],
    endsAtNoMessage: Bool = false
) throws -> [UInt8] {
    let buffer = IOBuffer(byteCount: pieces.max() ?? 1)
    var bytes: [UInt8] = []
    var turn = 0
    while bytes.count <= Subject.byteLimit {
        let wanted = pieces[turn % pieces.count]
        turn += 1
        do {
            let count = try unsafe stream.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<wanted])
            )
            guard count > 0 else { return bytes }
            try expect(count <= wanted, "a read of \(wanted) bytes returned \(count)")
            unsafe bytes.append(contentsOf: buffer.prefix(count))
        } catch let errno as Errno {
            if errno == .interrupted { continue }
            guard endsAtNoMessage, errno == .noMessage else { throw errno }
            return bytes
        }
    }
    throw Skip(reason: "the state is larger than \(Subject.byteLimit) bytes")
}

/// Writes all bytes, cut as `pieces` say over and over.
func writeAll(
    _ bytes: [UInt8],
    to stream: any MigrationStream,
    pieces: [Int] = [65_536]
) throws {
    var done = 0
    var turn = 0
    while done < bytes.count {
        let end = min(bytes.count, done + pieces[turn % pieces.count])
        turn += 1
        do {
            let count = try unsafe bytes[done..<end].withUnsafeBytes { buffer in
                try unsafe stream.write(buffer)
            }
            try expect(count > 0 && count <= end - done, "a write returned \(count)")
            done += count
        } catch let errno as Errno {
            if errno != .interrupted { throw errno }
        }
    }
}

func expect(_ condition: Bool, _ text: @autoclosure () -> String) throws {
    if !condition { throw Violation(text: text()) }
}

/// Runs what must fail with one of these errnos, and returns the one it failed with.
@discardableResult
func expectErrno(
    _ allowed: Set<Errno>,
    _ what: String,
    _ body: () throws -> Void
) throws -> Errno {
    do {
        try body()
    } catch let errno as Errno {
        let names = allowed.map(\.name).sorted().joined(separator: " or ")
        try expect(allowed.contains(errno), "\(what) failed with \(errno.name), not \(names)")
        return errno
    }
    throw Violation(text: "\(what) succeeded")
}

/// Reading, or writing, a stream whose session is over must say ENODEV.
func expectDead(_ stream: any MigrationStream, _ direction: StreamDirection) throws {
    let buffer = IOBuffer(byteCount: 16)
    switch direction {
    case .save:
        try expectErrno([.noDevice], "a read of a dead stream") {
            _ = try unsafe stream.read(into: buffer.bytes)
        }
    case .resume:
        try expectErrno([.noDevice], "a write to a dead stream") {
            _ = try unsafe stream.write(buffer.prefix(16))
        }
    }
}
