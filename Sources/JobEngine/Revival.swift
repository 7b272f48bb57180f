internal import MigrationCore
internal import MigrationPorts

/// The sessions that outlived a daemon, because a keeper held their files.
struct Revival {
    /// Sessions that are open again.
    private(set) var sessions: [OpenSession] = []
    /// Why sessions whose files were kept are not, by session.
    private(set) var failures: [SessionID: Problem] = [:]
    /// Files of sessions the store calls ended: to be let go.
    private(set) var ended: [KeptSession] = []
    /// Files of sessions the store does not know, or that could not be opened again; they may be
    /// somebody's content, so they stay held.
    private(set) var orphans: [KeptSession] = []

    /// Makes sessions again of what was kept.
    ///
    /// Opens and resets nothing. Blocking.
    init(
        _ kept: [KeptSession],
        records: [SessionRecord],
        backends: Backends,
        clock: any HostClock
    ) {
        let known = Dictionary(records.map { ($0.id, $0) }) { first, _ in first }
        let spaces = Dictionary(grouping: kept) { Self.space(of: $0.id, known) }
        for one in kept {
            guard let record = known[one.id] else {
                orphans.append(one)
                continue
            }
            guard record.status == .open else {
                ended.append(one)
                continue
            }
            do throws(Problem) {
                let companions = spaces[Self.space(of: one.id, known)] ?? []
                let all = Self.files(one.files, sharedWith: companions.flatMap(\.files))
                sessions.append(try Self.session(record, all, backends, clock))
            } catch {
                failures[one.id] = error
                orphans.append(one)
            }
        }
    }

    /// What names the address space of a session: the first of those that joined one another,
    /// whether it is still there or not.
    private static func space(
        of session: SessionID,
        _ known: [SessionID: SessionRecord]
    ) -> SessionID {
        var (first, seen) = (session, Set<SessionID>())
        while let next = known[first]?.joins, seen.insert(first).inserted { first = next }
        return first
    }

    /// The files of a session, with those it shares with its companions: a keeper holds an open
    /// file once, by the name it came with first.
    private static func files(
        _ own: [KeptFile],
        sharedWith companion: [KeptFile]
    ) -> [KeptFile] {
        var names: Set<String> = ["device"]
        names.formUnion(own.map(\.name))
        return own + companion.filter { names.insert($0.name).inserted }
    }

    private static func session(
        _ record: SessionRecord,
        _ files: [KeptFile],
        _ backends: Backends,
        _ clock: any HostClock
    ) throws(Problem) -> OpenSession {
        let (backend, facts) = try backends.owner(of: record.device)
        let device = DrivenDevice(try backend.resume(record.device, files), clock: clock)
        var record = record
        record.note = "The daemon died; the service manager kept the device open."
        if device.session.support.flags != nil, device.reportedState() == .known(.error) {
            record.content = .lost
            record.note = "The device was in ERROR when the daemon came back: content_lost."
        }
        return OpenSession(record, device, facts: facts)
    }
}
