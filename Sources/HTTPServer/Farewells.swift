internal import Glibc

/// Sockets of refused clients that may still be sending: read until they stop, so that the
/// answer reaches them, but not for long and not for much.
struct Farewells {
    private struct Farewell {
        let descriptor: Int32
        let deadline: MonotonicTime
        var byteCount = 0
    }

    private static let limit = 32
    private static let patience = Duration.seconds(2)
    private static let byteLimit = 64 << 20

    private var farewells: [Farewell] = []
    private var scratch = [UInt8](repeating: 0, count: 65_536)

    var descriptors: [Int32] { farewells.map(\.descriptor) }
    var isAny: Bool { !farewells.isEmpty }

    /// Takes a descriptor over; closes it at once when there are too many.
    mutating func add(_ descriptor: Int32) {
        guard farewells.count < Self.limit else {
            Glibc.close(descriptor)
            return
        }
        farewells.append(
            Farewell(descriptor: descriptor, deadline: .now + Self.patience)
        )
    }

    /// Reads what came and closes those that are through.
    mutating func read() {
        let now = MonotonicTime.now
        var rest: [Farewell] = []
        for var farewell in farewells {
            let isThrough = drain(&farewell) || farewell.deadline <= now
            if isThrough { Glibc.close(farewell.descriptor) } else { rest.append(farewell) }
        }
        farewells = rest
    }

    mutating func closeAll() {
        for farewell in farewells { Glibc.close(farewell.descriptor) }
        farewells = []
    }

    /// True when the client has stopped sending, is gone, or has sent too much.
    private mutating func drain(_ farewell: inout Farewell) -> Bool {
        // Some rounds only: the others wait.
        for _ in 0..<16 {
            let count = unsafe scratch.withUnsafeMutableBytes {
                unsafe recv(
                    farewell.descriptor,
                    $0.baseAddress,
                    $0.count,
                    Int32(MSG_DONTWAIT)
                )
            }
            if count < 0 { return errno != EAGAIN && errno != EINTR }
            if count == 0 { return true }
            farewell.byteCount += count
            if farewell.byteCount > Self.byteLimit { return true }
        }
        return false
    }
}
