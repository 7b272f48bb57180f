internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

/// One device of a job's set: its sessions by side, and the stream between them.
final class JobMember: Sendable {
    private struct State: Sendable {
        var pump: StreamPump?
        var reader: ImageReader?
        var sidecar: Sidecar?
    }

    /// Its place in the set.
    let number: Int
    let source: OpenSession?
    let target: OpenSession?
    /// Which member of the image a restore puts into the target.
    let imageMember: Int?
    /// How fast this device's bytes move beside the others'.
    let rate = BusyRate()
    /// Guards what the transfer opened.
    ///
    /// A leaf.
    private let state: Mutex<State>

    init(
        _ number: Int,
        source: OpenSession? = nil,
        target: OpenSession? = nil,
        imageMember: Int? = nil
    ) {
        self.number = number
        self.source = source
        self.target = target
        self.imageMember = imageMember
        // Now: the source's own is gone once the source is released.
        self.state = Mutex(State(sidecar: source?.record.sidecar))
    }

    func session(_ side: Side) throws(Problem) -> OpenSession {
        if let session = side == .source ? source : target { return session }
        throw Problem(.internalError, "The job has no \(side.rawValue) number \(number).")
    }

    var pump: StreamPump? { state.withLock { $0.pump } }
    var reader: ImageReader? { state.withLock { $0.reader } }

    /// What the content's user keeps beside it: the source's, or the image's once it is verified.
    var sidecar: Sidecar? { state.withLock { $0.sidecar } }

    func setSidecar(_ sidecar: Sidecar?) { state.withLock { $0.sidecar = sidecar } }

    func setReader(_ reader: ImageReader) { state.withLock { $0.reader = reader } }

    /// The pump of the stream, made at its first use: when its sink is open.
    func openPump(
        into writer: ImageWriter?,
        _ pace: RateLimiter,
        _ clock: any HostClock
    ) throws(Problem) -> StreamPump {
        if let pump { return pump }
        let sink: any ByteSink =
            if let writer {
                writer.contents[number]
            } else {
                try StreamSink(try session(.target).device.stream())
            }
        let pump = try StreamPump(into: sink, pace: pace, clock: clock)
        state.withLock { $0.pump = pump }
        return pump
    }
}

/// What a running job works on: the devices of its set, in the order of the request.
final class JobMembers: Sendable {
    private struct State: Sendable {
        var writer: ImageWriter?
        var sealed: ImageRecord?
    }

    let all: [JobMember]
    /// The image a restore reads.
    let image: ImageRecord?
    /// Caps the pre-copy of the whole set.
    let limiter: RateLimiter
    /// Guards what the transfer opened.
    ///
    /// A leaf.
    private let state = Mutex(State())

    init(_ all: [JobMember], image: ImageRecord? = nil, bytesPerSecond: UInt64? = nil) {
        self.all = all
        self.image = image
        self.limiter = RateLimiter(bytesPerSecond: bytesPerSecond)
    }

    /// Every session with its side and its member's number, sources first.
    var sessions: [(side: Side, number: Int, session: OpenSession)] {
        sessions(.source) + sessions(.target)
    }

    private func sessions(_ side: Side) -> [(side: Side, number: Int, session: OpenSession)] {
        all.compactMap { member in
            let session = side == .source ? member.source : member.target
            return session.map { (side, member.number, $0) }
        }
    }

    /// What drives each device of a side, in the order of the members.
    func drivers(_ side: Side) -> [(driver: String, flags: MigrationFlags)] {
        sessions(side).map { _, _, session in
            (session.driverName, session.device.session.support.flags ?? [])
        }
    }

    func flags(_ side: Side) -> [MigrationFlags] { drivers(side).map(\.flags) }

    var writer: ImageWriter? { state.withLock { $0.writer } }

    /// The image a save made.
    var sealed: ImageRecord? { state.withLock { $0.sealed } }

    func setSealed(_ image: ImageRecord?) { state.withLock { $0.sealed = image } }
    func setWriter(_ writer: ImageWriter) { state.withLock { $0.writer = writer } }

    /// Bytes read of all streams so far.
    var movedByteCount: UInt64 {
        all.reduce(0) { $0 &+ ($1.pump?.read.byteCount ?? 0) }
    }
}
