internal import MigrationCore
internal import MigrationPorts

/// The actions that change devices: SET, detach, RESET, close. Each is done to every device of a
/// side, side by side.
extension JobRunner {
    // MARK: SET

    /// Where a device is and where it is to go; `to` is nil when it is there already.
    private struct Move: Sendable {
        let from: DeviceState?
        let to: DeviceState?
    }

    func set(_ side: Side, _ target: DeviceState) -> TransferEvent {
        let members = active(side)
        let found = crew.each(members) { [self] in look($0, side, target) }
        let lost = failures(found)
        // Forward nobody moves unless all can; on the way back the others go without.
        if !lost.isEmpty, !job.isOnWayBack, let failure = SetFailure(lost) { return tell(failure) }
        var moves: [Int: Move] = [:]
        for outcome in found { moves[outcome.member.number] = try? outcome.result.get() }
        let movers = members.filter { moves[$0.number]?.to != nil }
        let still = members.filter { moves[$0.number] != nil && moves[$0.number]?.to == nil }
        do throws(ActionFailure) {
            try intend(movers.compactMap { line(.intent, $0, side, moves[$0.number]) })
        } catch {
            return error.event
        }
        let reports = crew.each(movers) { [moves] member -> DrivenDevice.SetReport? in
            guard let move = moves[member.number], let to = move.to else { return nil }
            return try? member.session(side).device.set(to, from: move.from)
        }
        return conclude(side, moves, reports, still.map(\.number), lost)
    }

    /// GET before a SET.
    private func look(
        _ member: JobMember,
        _ side: Side,
        _ target: DeviceState
    ) -> MemberTry<Move> {
        attempt { () throws(ActionFailure) in
            let device = try session(member, side).device
            guard let flags = device.session.support.flags,
                let target = target.effective(with: flags)
            else { return Move(from: nil, to: nil) }
            switch try currentState(device, side) {
            case .known(target): return Move(from: target, to: nil)
            case .known(let current): return Move(from: current, to: target)
            case .unknown(let number):
                // Only the way back may lead out of where a driver stopped on its way.
                guard job.isOnWayBack else { throw strange(device, side, number) }
                return Move(from: nil, to: target)
            }
        }
    }

    /// Writes down what became of the SETs, and tells it.
    private func conclude(
        _ side: Side,
        _ moves: [Int: Move],
        _ reports: [MemberOutcome<DrivenDevice.SetReport?>],
        _ still: [Int],
        _ lost: [Int: ActionFailure]
    ) -> TransferEvent {
        var failures = lost
        var done = still
        var lines: [JournalEntry.Line] = []
        var notes: [(device: DrivenDevice, time: ArcTime?)] = []
        for outcome in reports {
            guard let report = outcome.result, let move = moves[outcome.member.number],
                let session = try? outcome.member.session(side)
            else { continue }
            let device = session.device
            if let to = move.to { metrics.didSet(move.from, to, session.driverName, report) }
            if let (problem, state) = report.failure {
                failures[outcome.member.number] = ActionFailure(problem, side: side, state: state)
            } else {
                done.append(outcome.member.number)
            }
            lines += [line(.outcome(report), outcome.member, side, move)].compactMap(\.self)
            notes.append((device, report.time(from: move.from, to: move.to)))
        }
        let note = { [notes] (record: inout Job) in
            for (device, time) in notes { record.note(device, side, time) }
        }
        if let failure = SetFailure(failures, done: done) {
            job.recordAnyway(lines) { record in
                note(&record)
                for text in failure.others { record.warn(text) }
            }
            return failure.event
        }
        do throws(Problem) {
            if !lines.isEmpty { try conclude(lines, note) }
            return .done
        } catch {
            // The effects are there though their lines are not: the machine must know where they led.
            job.owe(lines)
            let members = Dictionary(uniqueKeysWithValues: done.map { ($0, MemberResult.done) })
            return .failed(FailedAction(error, side: side, members: members))
        }
    }

    private enum LineKind {
        case intent
        case outcome(DrivenDevice.SetReport)
    }

    private func line(
        _ kind: LineKind,
        _ member: JobMember,
        _ side: Side,
        _ move: Move?
    ) -> JournalEntry.Line? {
        guard let move, let to = move.to, let device = try? member.session(side).device.device
        else { return nil }
        let arc = Problem.ArcNames(from: move.from, to: to)
        switch kind {
        case .intent: return .intent(action: "set", device: device, arc: arc)
        case .outcome(let report):
            if let (problem, _) = report.failure {
                return .failed(action: "set", device: device, arc: arc, problem: problem)
            }
            return .done(
                action: "set",
                device: device,
                arc: arc,
                nanoseconds: report.nanoseconds
            )
        }
    }

    // MARK: Giving up

    func detach(_ side: Side) -> TransferEvent {
        giveUp(side, .detach(side)) { [self] session throws(Problem) in
            if session.device.session.isClosedToDetach { unhold(session) }
            try session.device.detach()
        }
    }

    func reset(_ side: Side) -> TransferEvent {
        giveUp(side, .reset(side)) { session throws(Problem) in
            try session.device.reset()
            _ = session.update {
                $0.content = .empty
                $0.isReproducible = false
            }
        }
    }

    /// Ends the sessions: the engine takes them off its table when the job has ended.
    func close(_ side: Side) -> TransferEvent {
        giveUp(side, .close(side)) { [self] session throws(Problem) in
            release(session)
            let now = clock.timestamp()
            _ = session.update {
                $0.status = .closed
                $0.closedAt = now
                $0.note = "Closed by job \(job.id)."
            }
        }
    }

    /// Does something to every device of a side, each whatever becomes of the others.
    private func giveUp(
        _ side: Side,
        _ action: TransferAction,
        _ effect: @escaping @Sendable (OpenSession) throws(Problem) -> Void
    ) -> TransferEvent {
        let members = active(side)
        let devices = members.compactMap { try? $0.session(side).device }
        do throws(ActionFailure) {
            try intend(
                devices.map { .intent(action: action.name, device: $0.device, arc: nil) }
            )
        } catch {
            return error.event
        }
        let tried = crew.each(members) { [self] member -> MemberTry<UInt64> in
            attempt { () throws(ActionFailure) in
                let session = try session(member, side)
                let startedAt = clock.monotonicNanoseconds()
                do throws(Problem) {
                    try effect(session)
                } catch {
                    let state = session.device.reportedState()
                    throw ActionFailure(error, side: side, state: state)
                }
                return clock.monotonicNanoseconds() - startedAt
            }
        }
        return tell(tried, side, action)
    }

    /// Writes down what became of the devices that were given up.
    private func tell(
        _ tried: [MemberOutcome<MemberTry<UInt64>>],
        _ side: Side,
        _ action: TransferAction
    ) -> TransferEvent {
        var lines: [JournalEntry.Line] = []
        var change = StoreChange()
        var done: [JobMember] = []
        let now = clock.timestamp()
        for outcome in tried {
            guard let session = try? outcome.member.session(side) else { continue }
            let device = session.device.device
            switch outcome.result {
            case .success(let nanoseconds):
                done.append(outcome.member)
                lines.append(
                    .done(
                        action: action.name,
                        device: device,
                        arc: nil,
                        nanoseconds: nanoseconds
                    )
                )
                if action == .detach(side) { continue }
                let one = StoreChange(session.record, at: now)
                change.sessions += one.sessions
                change.events += one.events
            case .failure(let failure):
                lines.append(
                    .failed(
                        action: action.name,
                        device: device,
                        arc: nil,
                        problem: failure.problem
                    )
                )
            }
        }
        let failure = SetFailure(failures(tried), done: done.map(\.number))
        job.recordAnyway(lines, with: change) { record in
            for text in failure?.others ?? [] { record.warn(text) }
            guard action == .reset(side) else { return }
            for member in done {
                guard let device = try? member.session(side).device else { continue }
                record.note(device, side, content: .empty)
            }
        }
        return failure?.event ?? .done
    }

    // MARK: One member

    /// The members of a side that actions are for.
    func active(_ side: Side) -> [JobMember] {
        let numbers = job.active(side)
        return members.all.filter { numbers.contains($0.number) }
    }

    func session(_ member: JobMember, _ side: Side) throws(ActionFailure) -> OpenSession {
        do throws(Problem) {
            return try member.session(side)
        } catch {
            throw ActionFailure(error)
        }
    }

    /// Does one member's part, and keeps what it throws.
    func attempt<Success>(
        _ body: () throws(ActionFailure) -> Success
    ) -> MemberTry<Success> {
        do throws(ActionFailure) {
            return .success(try body())
        } catch {
            return .failure(error)
        }
    }

    func failures<Success>(
        _ tried: [MemberOutcome<MemberTry<Success>>]
    ) -> [Int: ActionFailure] {
        var failures: [Int: ActionFailure] = [:]
        for outcome in tried {
            if case .failure(let failure) = outcome.result {
                failures[outcome.member.number] = failure
            }
        }
        return failures
    }

    /// What failed, with what it was beside as warnings.
    func tell(_ failure: SetFailure) -> TransferEvent {
        if !failure.others.isEmpty {
            job.recordAnyway { record in for text in failure.others { record.warn(text) } }
        }
        return failure.event
    }

    private func currentState(
        _ device: DrivenDevice,
        _ side: Side
    ) throws(ActionFailure) -> ReportedState {
        do throws(Problem) {
            return try device.currentState()
        } catch {
            // A device that is gone is for the machine like one in ERROR: nothing of its content is
            // left to be taken anywhere, and no SET reaches it.
            let state: ReportedState? =
                switch error.code {
                case .contentLost: device.lastState
                case .deviceGone: .known(.error)
                default: device.reportedState()
                }
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

extension DrivenDevice.SetReport {
    /// The time of the SET; nil when the device did not say where it began.
    fileprivate func time(from: DeviceState?, to: DeviceState?) -> ArcTime? {
        guard let from, let to else { return nil }
        return ArcTime(
            from: from,
            to: to,
            nanoseconds: nanoseconds,
            errno: failure?.problem.facts.errno
        )
    }
}
