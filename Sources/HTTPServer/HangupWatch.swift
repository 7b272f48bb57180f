internal import CMicrohttpd
internal import Glibc

/// Notices clients that hang up while their connection waits for us, at no cost until they do.
final class HangupWatch: Sendable {
    /// For `poll`: readable when somebody has hung up.
    let descriptor: Int32

    init() throws(Failure) {
        descriptor = ferry_http_watch()
        guard descriptor >= 0 else { throw Failure(errno: -descriptor) }
    }

    deinit { close(descriptor) }

    struct Failure: Error {
        let errno: Int32
    }

    /// Watches a socket, until it is forgotten.
    ///
    /// When the system has no memory for it, the client is noticed when something is sent to it.
    func watch(_ socket: Int32, _ number: UInt64) {
        _ = ferry_http_watch_add(descriptor, socket, number)
    }

    func forget(_ socket: Int32) { ferry_http_watch_remove(descriptor, socket) }

    /// The numbers of those who have hung up since, a batch at most.
    func take() -> [UInt64] {
        unsafe Array(unsafeUninitializedCapacity: Int(FERRY_HTTP_WATCH_BATCH)) { numbers, count in
            count = unsafe Int(ferry_http_watch_take(descriptor, numbers.baseAddress))
        }
    }
}
