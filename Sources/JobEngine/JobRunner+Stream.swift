internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// The actions that move bytes.
extension JobRunner {
    /// How long a round waits when the device has nothing new.
    private static let idleRoundNanoseconds: UInt64 = 50_000_000

    /// Shows how much there is to move, before any of it has moved.
    func sampleSize() {
        guard job.spec.work.kind != .reset, !job.isInterrupted else { return }
        let device = members.source?.device
        let byteCount = members.image?.byteCount ?? device?.stopCopyByteCount()
        job.sample { record, progress in
            progress.remainingByteCount = byteCount ?? 0
            if let device { record.note(device, stopCopyByteCount: byteCount) }
        }
    }

    func preCopyRound() -> TransferEvent {
        do throws(ActionFailure) {
            let device = try session(.source).device
            let drained = try drain(device, .preCopy)
            var info: PreCopyInfo?
            var warning: String?
            // No convergence, and no failure: the next read tells whether the stream is dead.
            do throws(Problem) { info = try device.preCopyInfo() } catch { warning = error.detail }
            let round = PreCopyRound(
                initialByteCount: info?.initialByteCount,
                dirtyByteCount: info?.dirtyByteCount,
                stopCopyByteCount: device.stopCopyByteCount(),
                bytesPerSecond: rate.bytesPerSecond
            )
            job.sample { record, progress in
                progress.iterations += 1
                progress.remainingByteCount = round.remainingByteCount ?? 0
                record.note(device, round)
                if let warning { record.warn(warning) }
            }
            if drained.byteCount == 0 {
                job.waitForAttention(nanoseconds: Self.idleRoundNanoseconds)
            }
            return .roundDone(round)
        } catch {
            return error.event
        }
    }

    /// Reads the stopped source to its end.
    ///
    /// A bandwidth limit ends here: it caps pre-copy only.
    func drain() -> TransferEvent {
        members.limiter?.lift()
        return plain(.drain) { () throws(ActionFailure) in
            _ = try drain(try session(.source).device, .stopCopy)
            job.sample { _, progress in progress.remainingByteCount = 0 }
        }
    }

    func load() -> TransferEvent {
        plain(.load) { () throws(ActionFailure) in
            guard let reader = members.reader else {
                throw ActionFailure(Problem(.internalError, "The restore verified no image."))
            }
            let device = try session(.target).device
            let pump = try naming { () throws(Problem) in try members.openPump(clock) }
            let drained: Drained
            do throws(TransferFailure) {
                drained = try pump.load(
                    from: reader,
                    shouldStop: { job.isInterrupted },
                    onBytes: { didMove($0, pump) }
                )
            } catch {
                guard error.side == .target else {
                    throw ActionFailure(reader.readProblem(error.errno))
                }
                throw streamFailure(device, .target, "write", error.errno)
            }
            if drained.outcome == .stopped { throw stopped }
        }
    }

    private func drain(
        _ device: DrivenDevice,
        _ phase: DrainPhase
    ) throws(ActionFailure) -> Drained {
        let pump = try naming { () throws(Problem) in try members.openPump(clock) }
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
                shouldStop: { phase == .preCopy ? job.isRoundOver : job.isInterrupted },
                onBytes: { didMove($0, pump) }
            )
        } catch {
            throw failure(error, device)
        }
        rate.note(drained)
        if job.isInterrupted { throw stopped }
        return drained
    }

    private func failure(_ failure: TransferFailure, _ source: DrivenDevice) -> ActionFailure {
        if failure.side == .source {
            return streamFailure(source, .source, "read", failure.errno)
        }
        if let writer = members.writer { return ActionFailure(writer.writeProblem(failure.errno)) }
        guard let target = members.target?.device else {
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
        ActionFailure(job.interruption ?? Problem(.internalError, "The transfer stopped."))
    }

    private func didMove(_ byteCount: Int, _ pump: StreamPump) {
        meter.record(byteCount: byteCount)
        let total = pump.read.byteCount
        let current = meter.bytesPerSecond
        job.sample { record, progress in
            progress.sentByteCount = total
            progress.bytesPerSecond = current
            progress.remainingByteCount -= min(progress.remainingByteCount, UInt64(byteCount))
            for index in record.devices.indices { record.devices[index].transferredBytes = total }
        }
    }
}
