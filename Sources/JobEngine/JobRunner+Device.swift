internal import MigrationCore
internal import MigrationPorts

/// The actions that change a device: SET, RESET, close.
extension JobRunner {
    func set(_ side: Side, _ target: DeviceState) -> TransferEvent {
        do throws(ActionFailure) {
            let device = try session(side).device
            switch try currentState(device, side) {
            case .known(target): break
            case .known(let current): try set(device, side, current, target)
            case .unknown(let number):
                // Only the way back may lead out of where a driver stopped on its way.
                guard job.isDecided else { throw strange(device, side, number) }
                try set(device, side, nil, target)
            }
            return .done
        } catch {
            return error.event
        }
    }

    private func set(
        _ device: DrivenDevice,
        _ side: Side,
        _ current: DeviceState?,
        _ target: DeviceState
    ) throws(ActionFailure) {
        let arc = Problem.ArcNames(from: current, to: target)
        try intend(.intent(action: "set", device: device.device, arc: arc))
        let report = device.set(target, from: current)
        let time = current.map {
            ArcTime(
                from: $0,
                to: target,
                nanoseconds: report.nanoseconds,
                errno: report.failure?.problem.facts.errno
            )
        }
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
        do throws(Problem) {
            try conclude(line) { $0.note(device, side, time) }
        } catch {
            // The effect is there though its line is not: the machine must know where it led.
            throw ActionFailure(error, side: side, state: .known(target))
        }
    }

    func detach(_ side: Side) -> TransferEvent {
        do throws(ActionFailure) {
            let device = try session(side).device
            try intend(.intent(action: "detach", device: device.device, arc: nil))
            let startedAt = clock.monotonicNanoseconds()
            do throws(Problem) {
                try device.detach()
            } catch {
                job.recordAnyway(
                    [.failed(action: "detach", device: device.device, arc: nil, problem: error)])
                throw ActionFailure(error, side: side, state: device.reportedState())
            }
            let nanoseconds = clock.monotonicNanoseconds() - startedAt
            job.recordAnyway([
                .done(action: "detach", device: device.device, arc: nil, nanoseconds: nanoseconds)
            ])
            return .done
        } catch {
            return error.event
        }
    }

    func reset(_ side: Side) -> TransferEvent {
        do throws(ActionFailure) {
            let session = try session(side)
            let device = session.device
            try intend(.intent(action: "reset", device: device.device, arc: nil))
            let startedAt = clock.monotonicNanoseconds()
            do throws(Problem) {
                try device.reset()
            } catch {
                job.recordAnyway(
                    [.failed(action: "reset", device: device.device, arc: nil, problem: error)])
                throw ActionFailure(error, side: side, state: device.reportedState())
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
            let device = session.device.device
            job.recordAnyway([.intent(action: "close", device: device, arc: nil)])
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
    ) throws(ActionFailure) -> ReportedState {
        do throws(Problem) {
            return try device.currentState()
        } catch {
            // A device that was reset behind us, or is gone, is for the machine like one in ERROR:
            // nothing of its content is left to be taken anywhere.
            let isLost = error.code == .contentLost || error.code == .deviceGone
            let state = isLost ? ReportedState.known(.error) : device.reportedState()
            throw ActionFailure(error, side: side, state: state)
        }
    }

    private func strange(
        _ device: DrivenDevice,
        _ side: Side,
        _ number: UInt32
    ) -> ActionFailure {
        let problem = Problem(
            .deviceFailed,
            "\(device.device) is in a state Ferry does not know: \(number).",
            Problem.Facts(device: device.device)
        )
        return ActionFailure(problem, side: side, state: .unknown(number))
    }
}
