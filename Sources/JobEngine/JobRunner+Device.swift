internal import MigrationCore
internal import MigrationPorts

/// The actions that change a device: SET, RESET, close.
extension JobRunner {
    func set(_ side: Side, _ target: DeviceState) -> TransferEvent {
        do throws(ActionFailure) {
            let device = try session(side).device
            let current = try currentState(device, side)
            if current != target { try set(device, side, current, target) }
            return .done
        } catch {
            return error.event
        }
    }

    private func set(
        _ device: DrivenDevice,
        _ side: Side,
        _ current: DeviceState,
        _ target: DeviceState
    ) throws(ActionFailure) {
        let arc = Problem.ArcNames(from: current, to: target)
        try journal(.intent(action: "set", device: device.device, arc: arc))
        let report = device.set(target, from: current)
        let time = ArcTime(
            from: current,
            to: target,
            nanoseconds: report.nanoseconds,
            errno: report.failure?.problem.facts.errno
        )
        if let (problem, state) = report.failure {
            job.recordAnyway(
                [.failed(action: "set", device: device.device, arc: arc, problem: problem)]
            ) { $0.note(device, side, time) }
            throw ActionFailure(problem, side: side, state: state)
        }
        let line = JournalEntry.Line.done(
            action: "set",
            device: device.device,
            arc: arc,
            nanoseconds: report.nanoseconds
        )
        do throws(ActionFailure) {
            try journal(line) { $0.note(device, side, time) }
        } catch {
            // The effect is there though its line is not: the machine must know where it led.
            throw ActionFailure(error.problem, side: side, state: .known(target))
        }
    }

    func reset(_ side: Side) -> TransferEvent {
        do throws(ActionFailure) {
            let session = try session(side)
            let device = session.device
            try journal(.intent(action: "reset", device: device.device, arc: nil))
            let startedAt = clock.monotonicNanoseconds()
            do throws(Problem) {
                try device.reset()
            } catch {
                job.recordAnyway(
                    [.failed(action: "reset", device: device.device, arc: nil, problem: error)])
                throw ActionFailure(error, side: side, state: device.lastState)
            }
            let nanoseconds = clock.monotonicNanoseconds() - startedAt
            let record = session.update {
                $0.content = .empty
                $0.isReproducible = false
            }
            job.recordAnyway(
                [
                    .done(
                        action: "reset",
                        device: device.device,
                        arc: nil,
                        nanoseconds: nanoseconds
                    )
                ],
                with: StoreChange(record, at: clock.timestamp())
            ) { $0.note(device, side, content: .empty) }
            return .done
        } catch {
            return error.event
        }
    }

    /// Ends the session: the engine takes it off its table when the job has ended.
    func close(_ side: Side) -> TransferEvent {
        do throws(ActionFailure) {
            let session = try session(side)
            session.device.close()
            let now = clock.timestamp()
            let record = session.update {
                $0.status = .closed
                $0.closedAt = now
                $0.note = "Closed by job \(job.id)."
            }
            let line = JournalEntry.Line.done(
                action: "close",
                device: record.device,
                arc: nil,
                nanoseconds: 0
            )
            job.recordAnyway([line], with: StoreChange(record, at: now))
            return .done
        } catch {
            return error.event
        }
    }

    func session(_ side: Side) throws(ActionFailure) -> OpenSession {
        do throws(Problem) {
            return try members.session(side)
        } catch {
            throw ActionFailure(error)
        }
    }

    /// GET before a SET.
    private func currentState(
        _ device: DrivenDevice,
        _ side: Side
    ) throws(ActionFailure) -> DeviceState {
        do throws(Problem) {
            return try device.currentState()
        } catch {
            // A device that was reset behind us is, for the machine, like one in ERROR: nothing of
            // its content is left to be taken anywhere.
            let state = error.code == .contentLost ? .known(.error) : device.lastState
            throw ActionFailure(error, side: side, state: state)
        }
    }

    private func journal(
        _ line: JournalEntry.Line,
        _ change: (inout Job) -> Void = { _ in }
    ) throws(ActionFailure) {
        do throws(Problem) {
            try conclude(line, change)
        } catch {
            throw ActionFailure(error)
        }
    }
}
