internal import ManagementAPI
internal import Synchronization

/// The body of a request on its way to whoever takes it bit by bit.
final class Upload: Sendable {
    let sink: any RequestBodySink
    let byteLimit: UInt64
    /// Guards how far it is.
    ///
    /// Taken alone.
    private let progress: Mutex<Progress>

    private struct Progress {
        var byteCount: UInt64 = 0
        var pace: UploadPace
        /// Whether the sink has its end: finished or abandoned.
        var hasEnded = false
    }

    init(_ sink: any RequestBodySink, byteLimit: UInt64, pace: UploadPace) {
        self.sink = sink
        self.byteLimit = byteLimit
        self.progress = Mutex(Progress(pace: pace))
    }

    /// Whether so many more bytes are too many.
    func isTooLong(with byteCount: Int) -> Bool {
        progress.withLock { byteLimit - min(byteLimit, $0.byteCount) < UInt64(byteCount) }
    }

    /// How long the client may take for its next bytes, after it has sent some.
    func didTake(_ byteCount: Int) -> Duration {
        progress.withLock { progress in
            progress.byteCount += UInt64(byteCount)
            return progress.pace.didTake(byteCount, at: .now)
        }
    }

    /// The client is about to wait for us.
    func willWait() { progress.withLock { $0.pace.willWait(at: .now) } }

    /// The body is whole.
    func finish(reply: @escaping @Sendable (APIResponse) -> Void) {
        if end() { sink.finish(reply: reply) }
    }

    /// The body will not be whole; does nothing when it is.
    func abandon() { if end() { sink.abandon() } }

    private func end() -> Bool {
        progress.withLock { progress in
            defer { progress.hasEnded = true }
            return !progress.hasEnded
        }
    }
}

/// How slow a client may be: its time runs out as it passes, and every byte earns it some.
///
/// So a short stop of a fast client does no harm, and a byte now and then does not hold a connection
/// for ever.
struct UploadPace {
    private let longest: Duration
    private let rateFloor: Int
    private var left: Duration
    /// When the time began to run; nil while the client waits for us.
    private var since: MonotonicTime?

    init(_ options: HTTPServer.Options, at now: MonotonicTime = .now) {
        longest = options.bodyTimeout
        rateFloor = max(1, options.uploadRateFloor)
        left = longest
        since = now
    }

    /// The time left after so many bytes.
    mutating func didTake(_ byteCount: Int, at now: MonotonicTime) -> Duration {
        willWait(at: now)
        since = now
        left = min(longest, left + .nanoseconds(byteCount * 1_000_000_000 / rateFloor))
        return left
    }

    mutating func willWait(at now: MonotonicTime) {
        if let since { left = max(.zero, left - since.duration(to: now)) }
        since = nil
    }
}
