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
    /// Files of sessions the store does not know; they may be somebody's content, so they stay held.
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
        let files = Dictionary(kept.map { ($0.id, $0.files) }) { first, _ in first }
        let known = Dictionary(records.map { ($0.id, $0) }) { first, _ in first }
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
                let companion = record.joins.flatMap { files[$0] } ?? []
                let all = Self.files(one.files, sharedWith: companion)
                sessions.append(try Self.session(record, all, backends, clock))
            } catch {
                failures[one.id] = error
                ended.append(one)
            }
        }
    }

    /// The files of a session, with those it shares with its companion: a keeper holds an open file
    /// once, by the name it came with first.
    private static func files(
        _ own: [KeptFile],
        sharedWith companion: [KeptFile]
    ) -> [KeptFile] {
        let names = Set(own.map(\.name))
        return own + companion.filter { $0.name != "device" && !names.contains($0.name) }
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
