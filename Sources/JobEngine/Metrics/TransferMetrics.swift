internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

/// What is measured of a job's devices while it runs.
final class TransferMetrics: Sendable {
    /// One device's stream.
    private final class Stream: Sendable {
        let meter: RateMeter
        let movedByteCount = Atomic<UInt64>(0)
        let remainingByteCount = Atomic<UInt64>(0)

        init(_ clock: any HostClock) { meter = RateMeter(clock: clock) }
    }

    let job: JobID
    private let members: JobMembers
    /// In the order of the members.
    private let streams: [Stream]
    private let bytesRead: Counter?
    private let bytesWritten: Counter?

    init(_ job: ActiveJob, _ members: JobMembers, _ metrics: EngineMetrics, _ clock: any HostClock)
    {
        self.job = job.id
        self.members = members
        self.streams = members.all.map { _ in Stream(clock) }
        let kind = job.spec.work.kind
        let moves = kind != .reset
        bytesRead =
            moves && members.all.contains { $0.source != nil }
            ? metrics.transferred.of(kind.rawValue, "read") : nil
        bytesWritten =
            moves && members.all.contains { $0.target != nil }
            ? metrics.transferred.of(kind.rawValue, "written") : nil
    }

    /// Counts bytes of a member's stream that moved.
    func didMove(_ byteCount: Int, _ member: JobMember) {
        let amount = UInt64(byteCount)
        bytesRead?.add(amount)
        bytesWritten?.add(amount)
        guard let stream = stream(of: member) else { return }
        stream.meter.record(byteCount: byteCount)
        stream.movedByteCount.wrappingAdd(amount, ordering: .relaxed)
        // One thread moves a member's bytes, so nothing comes between the two.
        let remaining = stream.remainingByteCount.load(ordering: .relaxed)
        stream.remainingByteCount.store(remaining - min(remaining, amount), ordering: .relaxed)
    }

    /// Takes what a device said it still has.
    func setRemaining(_ byteCount: UInt64?, of member: JobMember) {
        stream(of: member)?.remainingByteCount.store(byteCount ?? 0, ordering: .relaxed)
    }

    private func stream(of member: JobMember) -> Stream? {
        streams.indices.contains(member.number) ? streams[member.number] : nil
    }

    /// What one device of the job says.
    struct DeviceReading {
        let labels: [(name: String, value: String)]
        let movedByteCount: UInt64
        let bytesPerSecond: UInt64
        let remainingByteCount: UInt64
    }

    /// The devices of both sides; both ends of a stream see the same bytes.
    var devices: [DeviceReading] {
        members.sessions.compactMap { side, number, session in
            guard streams.indices.contains(number) else { return nil }
            let stream = streams[number]
            return DeviceReading(
                labels: [
                    ("job", job.text), ("device", session.device.device.text),
                    ("side", side.rawValue),
                ],
                movedByteCount: stream.movedByteCount.load(ordering: .relaxed),
                bytesPerSecond: stream.meter.bytesPerSecond,
                remainingByteCount: stream.remainingByteCount.load(ordering: .relaxed)
            )
        }
    }
}
