internal import CMicrohttpd
internal import Glibc
internal import Synchronization

/// Wakes up a thread that waits in `poll`.
final class Wakeup: Sendable {
    /// Readable from ``signal()`` to ``drain()``.
    let descriptor: Int32
    private let calls = Atomic(0)

    init() throws(Failure) {
        descriptor = ferry_http_wakeup()
        guard descriptor >= 0 else { throw Failure(errno: -descriptor) }
    }

    deinit { close(descriptor) }

    /// How often libmicrohttpd has called us on the thread.
    var callCount: Int { calls.load(ordering: .relaxed) }

    func didCall() { calls.add(1, ordering: .relaxed) }

    struct Failure: Error {
        let errno: Int32
    }

    func signal() {
        var one: UInt64 = 1
        _ = unsafe write(descriptor, &one, 8)
    }

    func drain() {
        var count: UInt64 = 0
        _ = unsafe read(descriptor, &count, 8)
    }
}
