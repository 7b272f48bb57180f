internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

/// What a running job works on: its sessions by side, and the stream between them.
///
/// A job has one member for now; the set of several is what issue "sets" adds, and every action
/// of a plan is worded for it already.
final class JobMembers: Sendable {
    private struct State: Sendable {
        var pump: StreamPump?
        var writer: ImageWriter?
        var reader: ImageReader?
        var sealed: ImageRecord?
    }

    let source: OpenSession?
    let target: OpenSession?
    /// The image a restore reads.
    let image: ImageRecord?
    let limiter: RateLimiter?
    /// Guards what the transfer opened.
    ///
    /// A leaf.
    private let state = Mutex(State())

    init(
        source: OpenSession?,
        target: OpenSession?,
        image: ImageRecord?,
        limiter: RateLimiter?
    ) {
        self.source = source
        self.target = target
        self.image = image
        self.limiter = limiter
    }

    func session(_ side: Side) throws(Problem) -> OpenSession {
        if let session = side == .source ? source : target { return session }
        throw Problem(.internalError, "The job has no \(side.rawValue).")
    }

    /// Every session with its side, sources first.
    var sessions: [(side: Side, session: OpenSession)] {
        [(Side.source, source), (Side.target, target)].compactMap { side, session in
            session.map { (side, $0) }
        }
    }

    var pump: StreamPump? { state.withLock { $0.pump } }
    var writer: ImageWriter? { state.withLock { $0.writer } }
    var reader: ImageReader? { state.withLock { $0.reader } }

    /// The image a save made.
    var sealed: ImageRecord? { state.withLock { $0.sealed } }

    func setSealed(_ image: ImageRecord?) { state.withLock { $0.sealed = image } }
    func setWriter(_ writer: ImageWriter) { state.withLock { $0.writer = writer } }
    func setReader(_ reader: ImageReader) { state.withLock { $0.reader = reader } }

    /// The pump of the stream, made at its first use: when its sink is open.
    func openPump(_ clock: any HostClock) throws(Problem) -> StreamPump {
        if let pump { return pump }
        let sink: any ByteSink
        if let content = writer?.contents.first {
            sink = content
        } else {
            sink = try StreamSink(try session(.target).device.stream())
        }
        let pump = try StreamPump(into: sink, pace: limiter, clock: clock)
        state.withLock { $0.pump = pump }
        return pump
    }
}
