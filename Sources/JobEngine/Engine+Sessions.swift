package import MigrationCore
internal import MigrationPorts
internal import Synchronization

extension Engine {
    /// Open and past sessions, newest first.
    package func sessions() -> [SessionRecord] { sessionTable.records }

    /// One session.
    ///
    /// Throws `not-found`.
    package func session(_ id: SessionID) throws(Problem) -> SessionRecord {
        if let record = sessionTable.record(id) { return record }
        throw Self.missing(id)
    }

    /// Opens and binds a device, in the address space of another session when `joining` names
    /// one.
    ///
    /// Blocking. Throws `invalid-field` for names of nothing, `session-exists` for a device that
    /// has one. A real device is reset by its first open, so its content is `empty`.
    package func openSession(
        device: DeviceID,
        joining companion: SessionID?
    ) throws(Problem) -> SessionRecord {
        try openSession(device, joining: companion) { _ in [] }
    }

    /// The same, answered once: a later request with the same key gets the same answer.
    ///
    /// `answer` shows the session as it is opened. Blocking. Throws `idempotency-in-flight`,
    /// `idempotency-mismatch`.
    package func openSession(
        device: DeviceID,
        joining companion: SessionID?,
        once request: KeyedRequest?,
        answer: (SessionRecord) throws(Problem) -> RequestAnswer
    ) throws(Problem) -> GivenAnswer {
        try once(request) { keeping throws(Problem) in
            var given: RequestAnswer?
            let opened = try openSession(device, joining: companion) { record throws(Problem) in
                guard let keeping else { return [] }
                let kept = keeping.kept(try answer(record))
                given = kept.answer
                return [kept]
            }
            if let given { return given }
            return try answer(opened)
        }
    }

    /// `answers` are stored with the session.
    private func openSession(
        _ device: DeviceID,
        joining companion: SessionID?,
        storing answers: (SessionRecord) throws(Problem) -> [KeptAnswer]
    ) throws(Problem) -> SessionRecord {
        try checkAccepting()
        let (backend, facts) = try Self.field("/device") { () throws(Problem) in
            try backends.owner(of: device)
        }
        return try locks.holding(device, "its session is being opened") {
            () throws(Problem) in
            try checkNoSession(on: device)
            var other: (any DeviceSession)?
            if let companion {
                other = try Self.field("/joins") { () throws(Problem) in
                    guard let session = sessionTable.open(companion) else {
                        throw Self.missing(companion)
                    }
                    return session.device.session
                }
            }
            let opened = try backend.open(device, joining: other)
            return try keep(
                opened,
                .opened,
                .empty,
                facts,
                joins: companion,
                storing: answers
            )
        }
    }

    /// Looks up what a field of the request names: what is not there is the field's fault.
    private static func field<Found>(
        _ pointer: String,
        _ look: () throws(Problem) -> Found
    ) throws(Problem) -> Found {
        do throws(Problem) {
            return try look()
        } catch {
            guard error.code == .notFound else { throw error }
            var problem = error
            problem.code = .invalidField
            problem.facts.pointer = pointer
            throw problem
        }
    }

    /// Ends a session; one with content only when `discardContent` says so.
    ///
    /// Blocking.
    package func closeSession(
        _ id: SessionID,
        discardContent: Bool
    ) throws(Problem) -> SessionRecord {
        guard let session = sessionTable.open(id) else { return try self.session(id) }
        return try locks.holdingAfterJob(session.device.device, "its session is being closed") {
            () throws(Problem) in
            // Another one may have closed it before the device was ours.
            guard sessionTable.open(id) != nil else { return try self.session(id) }
            let hasContent = try checkClosable(session, discardContent)
            return try end(
                session,
                .closed,
                hasContent ? .lost : session.record.content,
                "Closed on request."
            )
        }
    }

    /// Whether closing a session loses content, and is to.
    private func checkClosable(
        _ session: OpenSession,
        _ discardContent: Bool
    ) throws(Problem) -> Bool {
        let record = session.record
        let hasContent = record.content == .live || record.content == .loaded
        guard !hasContent || record.isReproducible || discardContent else {
            var facts = Problem.Facts(device: record.device)
            facts.session = record.id
            facts.content = record.content
            throw Problem(
                .sessionHasContent,
                "Closing \(record.id) loses the content of \(record.device); say discard_content "
                    + "to lose it.",
                facts
            )
        }
        return hasContent
    }

    /// Takes a device over from its user.
    ///
    /// Blocking.
    func adopt(
        _ device: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> SessionRecord {
        try checkAccepting()
        let (backend, facts) = try backends.owner(of: device)
        let holder = DeviceLocks.Holder.operation("it is being handed in")
        try locks.acquire([device], for: holder)
        defer { locks.release([device], from: holder) }
        try checkNoSession(on: device)
        let adopted = try backend.adopt(device, descriptors)
        return try keep(adopted, .adopted, .live, facts)
    }

    /// The initial sessions of the backends.
    ///
    /// Called once. A device that fails here has no session, and the daemon lives.
    func openInitialSessions() throws(Problem) {
        for backend in backends.all {
            for session in backend.initialSessions() {
                guard let facts = backend.device(session.device) else { continue }
                do throws(Problem) {
                    _ = try keep(
                        session,
                        .simulated,
                        .live,
                        facts,
                        isReproducible: backend.remakesContent
                    )
                } catch {
                    if error.code == .storeFailed { throw error }
                    startProblems.withLock { $0.append(error) }
                }
            }
        }
    }

    /// What went wrong with devices when the daemon started.
    package var problemsAtStart: [Problem] { startProblems.withLock { $0 } }

    /// When a session ends.
    enum Ending {
        /// When the store has taken it: else nothing has changed.
        case whenStored
        /// Whatever the store says, because somebody waits for the device.
        case always
    }

    /// Says that a session ends, durably, then lets the device go.
    @discardableResult
    func end(
        _ session: OpenSession,
        _ status: SessionRecord.Status,
        _ content: DeviceContent,
        _ note: String,
        _ ending: Ending = .whenStored,
        forgetting answers: [KeptAnswer] = []
    ) throws(Problem) -> SessionRecord {
        let now = clock.timestamp()
        var record = session.record
        record.status = status
        record.content = content
        record.closedAt = now
        record.note = note
        try events.telling { () throws(Problem) in
            do throws(Problem) {
                var change = StoreChange(record, at: now)
                change.forgottenAnswers = answers.map(\.request)
                try store.apply(change, .process)
            } catch {
                if ending == .whenStored { throw error }
            }
            _ = session.update { $0 = record }
        }
        release(session)
        sessionTable.end(session)
        return record
    }

    static func missing(_ id: SessionID) -> Problem {
        var facts = Problem.Facts()
        facts.session = id
        return Problem(.notFound, "There is no session \(id).", facts)
    }

    /// Puts an open device on the table, stored before anybody can use it.
    private func keep(
        _ device: any DeviceSession,
        _ origin: SessionRecord.Origin,
        _ content: DeviceContent,
        _ facts: DeviceRecord,
        isReproducible: Bool = false,
        joins companion: SessionID? = nil,
        storing answers: (SessionRecord) throws(Problem) -> [KeptAnswer] = { _ in [] }
    ) throws(Problem) -> SessionRecord {
        let driven = DrivenDevice(device, clock: clock)
        var record: SessionRecord
        let kept: [KeptAnswer]
        do throws(Problem) {
            record = SessionRecord(
                id: try .new("ses"),
                device: device.device,
                origin: origin,
                content: try confirmed(content, of: driven),
                isReproducible: isReproducible,
                openedAt: clock.timestamp()
            )
            record.joins = companion ?? sharer(of: device)
            kept = try answers(record)
        } catch {
            driven.close()
            throw error
        }
        let session = OpenSession(record, driven, facts: facts)
        try events.telling { () throws(Problem) in try enter(session, kept) }
        do throws(Problem) {
            // Again, for a stop that began meanwhile: it sees the session, or is seen.
            try checkAccepting()
        } catch {
            let left: DeviceContent = content == .empty ? .empty : .lost
            try end(session, .closed, left, error.detail, .always, forgetting: kept)
            throw error
        }
        return record
    }

    /// Stores a session, and puts it on the table when its keeper has its files.
    private func enter(_ session: OpenSession, _ answers: [KeptAnswer]) throws(Problem) {
        let record = session.record
        let device = session.device.session
        do throws(Problem) {
            var change = StoreChange(record, at: record.openedAt)
            change.keptAnswers = answers
            try store.apply(change, .process)
        } catch {
            session.device.close()
            throw error
        }
        do throws(Problem) {
            try handOver(device, record.id)
        } catch {
            // Nobody may find it open later, by what the keeper may have got of it.
            _ = try? end(
                session,
                .closed,
                record.content,
                error.detail,
                .always,
                forgetting: answers
            )
            throw error
        }
        sessionTable.insert(session)
        device.onSignal { [weak self, weak session] signal in
            guard let self, let session else { return }
            didSignal(signal, session)
        }
    }

    /// The first GET of a device that comes with content: in ERROR there is none any more.
    ///
    /// A state with a stream is refused, for the stream is its user's: what went through it so far
    /// nobody here can tell.
    private func confirmed(
        _ content: DeviceContent,
        of device: DrivenDevice
    ) throws(Problem) -> DeviceContent {
        guard content != .empty, device.session.support.flags != nil else { return content }
        let state: ReportedState
        do throws(Problem) {
            state = try device.currentState()
        } catch {
            guard error.code == .contentLost else { throw error }
            return .lost
        }
        guard case .known(let known) = state, known.hasStream else { return content }
        var facts = Problem.Facts(device: device.device)
        facts.reasons = ["The device is in \(known.kernelName)."]
        throw Problem(
            .incompatible,
            "\(device.device) is in the middle of a transfer of its user's; hand it in RUNNING.",
            facts
        )
    }

    private func checkNoSession(on device: DeviceID) throws(Problem) {
        guard let session = sessionTable.open(on: device)?.record else { return }
        var facts = Problem.Facts(device: device)
        facts.session = session.id
        throw Problem(.sessionExists, "\(device) has session \(session.id) already.", facts)
    }
}
