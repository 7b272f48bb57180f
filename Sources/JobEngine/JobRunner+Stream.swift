internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// The actions that move bytes: every device of the set moves its own, side by side.
extension JobRunner {
    /// How long a round waits when no device has anything new.
    private static let idleRoundNanoseconds: UInt64 = 50_000_000

    /// Shows how much there is to move, before any of it has moved.
    func sampleSize() {
        guard job.spec.work.kind != .reset, !job.isInterrupted else { return }
        let sizes = crew.each(members.all) { member in
            member.source?.device.stopCopyByteCount()
        }
        for size in sizes {
            let ofImage = members.image.flatMap { $0.byteCount(ofMember: size.member.imageMember) }
            transfer.setRemaining(ofImage ?? size.result, of: size.member)
        }
        let total = members.image?.byteCount ?? sizes.reduce(0) { $0 &+ ($1.result ?? 0) }
        job.sample { record, progress in
            progress.remainingByteCount = total
            for size in sizes {
                guard let device = size.member.source?.device else { continue }
                record.note(device, stopCopyByteCount: size.result)
            }
        }
    }

    // MARK: Pre-copy

    /// What one source's part of a round came to.
    private struct Round: Sendable {
        let round: PreCopyRound
        let byteCount: UInt64
        let warning: String?
    }

    /// Reads what every source has now, then asks each for `VFIO_MIG_GET_PRECOPY_INFO`.
    func preCopyRound() -> TransferEvent {
        let alarm = SetAlarm()
        let tried = crew.each(active(.source)) { [self] member in
            sounding(alarm) { () throws(ActionFailure) in try round(member, alarm) }
        }
        if let failure = SetFailure(failures(tried)) { return tell(failure) }
        let rounds = tried.compactMap { outcome in
            (try? outcome.result.get()).map { (outcome.member, $0) }
        }
        show(rounds)
        let now = clock.monotonicNanoseconds()
        job.checkProgress(at: now)
        if rounds.allSatisfy({ $0.1.byteCount == 0 }) {
            job.waitForAttention(nanoseconds: Self.idleRoundNanoseconds)
        }
        return .roundDone(rounds.map(\.1.round), at: now)
    }

    private func round(_ member: JobMember, _ alarm: SetAlarm) throws(ActionFailure) -> Round {
        let device = try session(member, .source).device
        guard device.session.support.flags?.contains(.preCopy) == true else {
            // It has no part in pre-copy; all of it comes in STOP_COPY.
            return Round(round: wholeState(of: member, device), byteCount: 0, warning: nil)
        }
        let drained = try drain(member, .preCopy, alarm)
        var info: PreCopyInfo?
        var warning: String?
        // No convergence, and no failure: the next read tells whether the stream is dead.
        do throws(Problem) { info = try device.preCopyInfo() } catch { warning = error.detail }
        let round = PreCopyRound(
            initialByteCount: info?.initialByteCount,
            dirtyByteCount: info?.dirtyByteCount,
            stopCopyByteCount: device.stopCopyByteCount(),
            bytesPerSecond: member.rate.bytesPerSecond
        )
        return Round(round: round, byteCount: drained.byteCount, warning: warning)
    }

    private func wholeState(of member: JobMember, _ device: DrivenDevice) -> PreCopyRound {
        PreCopyRound(
            initialByteCount: 0,
            dirtyByteCount: 0,
            stopCopyByteCount: device.stopCopyByteCount(),
            bytesPerSecond: member.rate.bytesPerSecond
        )
    }

    private func show(_ rounds: [(JobMember, Round)]) {
        for (member, round) in rounds {
            transfer.setRemaining(round.round.remainingByteCount, of: member)
        }
        job.sample { record, progress in
            progress.iterations += 1
            progress.remainingByteCount = rounds.reduce(0) {
                $0 &+ ($1.1.round.remainingByteCount ?? 0)
            }
            record.roundCount = progress.iterations
            for (member, round) in rounds {
                if let device = member.source?.device { record.note(device, round.round) }
                if let warning = round.warning { record.warn(warning) }
            }
        }
    }

    // MARK: The downtime

    /// Reads the stopped sources to their ends.
    ///
    /// A bandwidth limit ends here: it caps pre-copy only.
    func drain() -> TransferEvent {
        members.limiter.lift()
        let event = together(.drain, active(.source)) {
            [self] member, alarm throws(ActionFailure) in
            _ = try drain(member, .stopCopy, alarm)
        }
        return ended(event)
    }

    func load() -> TransferEvent {
        let event = together(.load, active(.target)) {
            [self] member, alarm throws(ActionFailure) in
            try load(member, alarm)
        }
        return ended(event)
    }

    /// Shows that nothing is left to move.
    private func ended(_ event: TransferEvent) -> TransferEvent {
        if event == .done { job.sample { _, progress in progress.remainingByteCount = 0 } }
        return event
    }

    private func load(_ member: JobMember, _ alarm: SetAlarm) throws(ActionFailure) {
        guard let reader = member.reader else {
            throw ActionFailure(Problem(.internalError, "The restore verified no image."))
        }
        let device = try session(member, .target).device
        let pump = try openPump(member)
        let drained: Drained
        do throws(TransferFailure) {
            drained = try pump.load(
                from: reader,
                shouldStop: { job.isInterrupted || alarm.isOn },
                onBytes: { didMove($0, member) }
            )
        } catch {
            guard error.side == .target else {
                throw ActionFailure(reader.readProblem(error.errno))
            }
            throw streamFailure(device, .target, "write", error.errno)
        }
        if drained.outcome == .stopped { throw stopped }
    }

    private func drain(
        _ member: JobMember,
        _ phase: DrainPhase,
        _ alarm: SetAlarm
    ) throws(ActionFailure) -> Drained {
        let device = try session(member, .source).device
        let pump = try openPump(member)
        let stream: any MigrationStream
        do throws(Problem) {
            stream = try device.stream()
        } catch {
            throw ActionFailure(error, side: .source, state: device.lastState)
        }
        let drained: Drained
        do throws(TransferFailure) {
            drained = try pump.drain(
                from: stream,
                phase: phase,
                shouldStop: {
                    alarm.isOn || (phase == .preCopy ? job.isRoundOver : job.isInterrupted)
                },
                onBytes: { didMove($0, member) }
            )
        } catch {
            throw failure(error, member, device)
        }
        member.rate.note(drained)
        if job.isInterrupted || alarm.isOn { throw stopped }
        return drained
    }

    private func openPump(_ member: JobMember) throws(ActionFailure) -> StreamPump {
        try naming { () throws(Problem) in
            try member.openPump(into: members.writer, members.limiter, clock)
        }
    }

    // MARK: Failures

    private func failure(
        _ failure: TransferFailure,
        _ member: JobMember,
        _ source: DrivenDevice
    ) -> ActionFailure {
        if failure.side == .source {
            return streamFailure(source, .source, "read", failure.errno)
        }
        if let writer = members.writer { return ActionFailure(writer.writeProblem(failure.errno)) }
        guard let target = member.target?.device else {
            return ActionFailure(source.failure("write", failure.errno))
        }
        return streamFailure(target, .target, "write", failure.errno)
    }

    private func streamFailure(
        _ device: DrivenDevice,
        _ side: Side,
        _ call: String,
        _ errno: Errno
    ) -> ActionFailure {
        let problem = device.failure("\(call) of the migration stream", errno)
        return ActionFailure(problem, side: side, state: device.reportedState())
    }

    /// What a transfer that was told to stop came to.
    private var stopped: ActionFailure {
        ActionFailure(
            job.interruption ?? Problem(.cancelled, "Another device of the set failed."),
            isStopped: true
        )
    }

    private func didMove(_ byteCount: Int, _ member: JobMember) {
        meter.record(byteCount: byteCount)
        transfer.didMove(byteCount, member)
        let moved = members.movedByteCount
        let current = meter.bytesPerSecond
        let total = member.pump?.read.byteCount ?? 0
        let devices = [member.source, member.target].compactMap { $0?.device.device }
        job.sample { record, progress in
            progress.sentByteCount = max(progress.sentByteCount, moved)
            progress.bytesPerSecond = current
            progress.remainingByteCount -= min(progress.remainingByteCount, UInt64(byteCount))
            record.noteTransferred(total, by: devices)
        }
    }
}
