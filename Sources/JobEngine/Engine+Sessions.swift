package import MigrationCore
internal import MigrationPorts

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
    /// Blocking. A real device is reset by its first open, so its content is `empty`.
    package func openSession(
        device: DeviceID,
        joining companion: SessionID?
    ) throws(Problem) -> SessionRecord {
        let (backend, facts) = try backends.owner(of: device)
        return try locks.holding(device, "its session is being opened") {
            () throws(Problem) in
            try checkNoSession(on: device)
            var other: (any DeviceSession)?
            if let companion {
                guard let session = sessionTable.open(companion) else {
                    var problem = Self.missing(companion)
                    problem.code = .invalidField
                    problem.facts.pointer = "/joins"
                    throw problem
                }
                other = session.device.session
            }
            let opened = try backend.open(device, joining: other)
            return try keep(opened, .opened, .empty, facts)
        }
    }

    /// Ends a session; one with content only when `discardContent` says so.
    ///
    /// Blocking.
    package func closeSession(
        _ id: SessionID,
        discardContent: Bool
    ) throws(Problem) -> SessionRecord {
        guard let session = sessionTable.open(id) else {
            guard let record = sessionTable.record(id) else { throw Self.missing(id) }
            return record
        }
        let record = session.record
        let hasContent = record.content == .live || record.content == .loaded
        guard !hasContent || record.isReproducible || discardContent else {
            var facts = Problem.Facts(device: record.device)
            facts.session = id
            facts.content = record.content
            throw Problem(
                .sessionHasContent,
                "Closing \(id) loses the content of \(record.device); say discard_content to lose it.",
                facts
            )
        }
        try releaseFromEndedJob(record.device)
        return try locks.holding(record.device, "its session is being closed") {
            () throws(Problem) in
            try end(session, .closed, hasContent ? .lost : record.content, "Closed on request.")
        }
    }

    /// Takes a device over from its user.
    ///
    /// Blocking.
    func adopt(
        _ device: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> SessionRecord {
        let (backend, facts) = try backends.owner(of: device)
        try locks.acquire([device], for: .operation("it is being handed in"))
        defer { locks.release([device], from: .operation("it is being handed in")) }
        try checkNoSession(on: device)
        let adopted = try backend.adopt(device, descriptors)
        return try keep(adopted, .adopted, .live, facts)
    }

    /// The initial sessions of the backends.
    ///
    /// Called once.
    func openInitialSessions() throws(Problem) {
        for backend in backends.all {
            for session in backend.initialSessions() {
                guard let facts = backend.device(session.device) else { continue }
                _ = try keep(session, .simulated, .live, facts, isReproducible: true)
            }
        }
    }

    /// Ends a session and says so, durably.
    @discardableResult
    func end(
        _ session: OpenSession,
        _ status: SessionRecord.Status,
        _ content: DeviceContent,
        _ note: String
    ) throws(Problem) -> SessionRecord {
        session.device.close()
        let now = clock.timestamp()
        let record = session.update {
            $0.status = status
            $0.content = content
            $0.closedAt = now
            $0.note = note
        }
        sessionTable.end(session)
        try store.apply(StoreChange(record, at: now), .process)
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
        isReproducible: Bool = false
    ) throws(Problem) -> SessionRecord {
        let record = SessionRecord(
            id: try newSessionID(),
            device: device.device,
            origin: origin,
            content: content,
            isReproducible: isReproducible,
            openedAt: clock.timestamp()
        )
        let driven = DrivenDevice(device, clock: clock)
        do throws(Problem) {
            try store.apply(StoreChange(record, at: record.openedAt), .process)
        } catch {
            driven.close()
            throw error
        }
        let session = OpenSession(record, driven, facts: facts)
        sessionTable.insert(session)
        device.onSignal { [weak self] signal in self?.didSignal(signal, session) }
        return record
    }

    private func newSessionID() throws(Problem) -> SessionID {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16)
        let padding = String(repeating: "0", count: 16 - digits.count)
        guard let id = SessionID("ses-\(padding)\(digits)") else {
            throw Problem(.internalError, "No session id could be made.")
        }
        return id
    }

    private func checkNoSession(on device: DeviceID) throws(Problem) {
        guard let session = sessionTable.open(on: device)?.record else { return }
        var facts = Problem.Facts(device: device)
        facts.session = session.id
        throw Problem(.sessionBusy, "\(device) has session \(session.id) already.", facts)
    }

    /// An indeterminate job keeps its devices until somebody gives their content up.
    private func releaseFromEndedJob(_ device: DeviceID) throws(Problem) {
        guard case .job(let id)? = locks.holder(of: device) else { return }
        if let job = jobTable.job(id), !job.job.state.isTerminal { return }
        locks.release([device], from: .job(id))
    }
}
