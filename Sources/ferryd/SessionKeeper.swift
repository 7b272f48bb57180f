import JobEngine
import MigrationCore
import MigrationPorts
import SystemIO

/// Keeps the files of sessions with the service manager: `<session>.<file>` in its descriptor store.
final class SessionKeeper: FileKeeper {
    /// How long the manager may take to work on what it was sent.
    private static let patienceMilliseconds: Int32 = 5000

    private let manager: NotifySocket

    init(_ manager: NotifySocket) { self.manager = manager }

    func keep(_ files: [KeptFile], of session: SessionID) throws(Problem) {
        do throws(Errno) {
            for file in files { try manager.hold(file.file, as: Self.name(file.name, session)) }
            try manager.synchronize(milliseconds: Self.patienceMilliseconds)
        } catch {
            var facts = Problem.Facts()
            facts.session = session
            facts.operation = "FDSTORE"
            facts.errno = error
            throw Problem(
                .storageFailed,
                "The service manager does not hold the files of \(session): \(error.name).",
                facts
            )
        }
    }

    func letGo(_ names: [String], of session: SessionID) {
        for name in names { try? manager.letGo(Self.name(name, session)) }
        try? manager.synchronize(milliseconds: Self.patienceMilliseconds)
    }

    /// What the manager held, by session; what has another name is none of Ferry's.
    static func kept(
        _ files: [(name: String, file: SharedDescriptor)]
    ) -> [KeptSession] {
        var sessions: [SessionID: [KeptFile]] = [:]
        for (name, file) in files {
            let parts = name.split(separator: ".", maxSplits: 1)
            guard parts.count == 2, let id = SessionID(String(parts[0])) else { continue }
            sessions[id, default: []].append(KeptFile(name: String(parts[1]), file: file))
        }
        return sessions.map { KeptSession(id: $0.key, files: $0.value) }.sorted { $0.id < $1.id }
    }

    private static func name(_ file: String, _ session: SessionID) -> String {
        "\(session).\(file)"
    }
}
