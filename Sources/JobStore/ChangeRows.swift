internal import GRDB
import MigrationCore
import MigrationPorts

/// A ``StoreChange`` encoded, so that the writer is held for the writing alone.
struct ChangeRows {
    private struct JobRow {
        let job: Job
        let body: String
    }

    private struct NamedRow {
        let id: String
        let body: String
    }

    private struct AuditRow {
        let record: AuditRecord
        let body: String
    }

    private struct SessionRow {
        let session: SessionRecord
        let body: String
    }

    private let jobs: [JobRow]
    private let journal: [NamedRow]
    private let decisions: [(job: JobID, decision: Decision)]
    private let sessions: [SessionRow]
    private let images: [NamedRow]
    private let deletedImages: [String]
    private let events: [String]
    private let setDurations: [NamedRow]
    private let deletedJobs: [JobID]
    private let answers: AnswerRows
    private let audit: [AuditRow]

    /// What of a job's journal can stand in it only alone.
    private enum Decision: String {
        case commit
        case abort

        init?(_ line: JournalEntry.Line) {
            switch line {
            case .commit: self = .commit
            case .abort: self = .abort
            default: return nil
            }
        }
    }

    init(_ change: StoreChange) throws(Problem) {
        jobs = try change.jobs.map { job throws(Problem) in
            JobRow(job: job, body: try RecordText.encode(job, of: "job \(job.id)"))
        }
        journal = try change.journal.map { line throws(Problem) in
            let body = try RecordText.encode(line.entry, of: "journal of job \(line.job)")
            return NamedRow(id: line.job.text, body: body)
        }
        decisions = change.journal.compactMap { line in
            Decision(line.entry.line).map { (line.job, $0) }
        }
        sessions = try change.sessions.map { session throws(Problem) in
            let body = try RecordText.encode(session, of: "session \(session.id)")
            return SessionRow(session: session, body: body)
        }
        images = try change.savedImages.map { image throws(Problem) in
            let body = try RecordText.encode(image, of: "image \(image.id)")
            return NamedRow(id: image.id.text, body: body)
        }
        deletedImages = change.deletedImages.map(\.text)
        deletedJobs = change.deletedJobs
        answers = AnswerRows(kept: change.keptAnswers, forgotten: change.forgottenAnswers)
        audit = try change.audit.map { record throws(Problem) in
            let body = try RecordText.encode(record, of: "record \(record.id) of the audit")
            return AuditRow(record: record, body: body)
        }
        events = try change.events.map { event throws(Problem) in
            try RecordText.encode(event, of: "event")
        }
        setDurations = try change.setDurations.map { duration throws(Problem) in
            let from = duration.arc.from?.name ?? ""
            return NamedRow(
                id: "\(duration.driver) \(from) \(duration.arc.to.name)",
                body: try RecordText.encode(duration, of: "duration of a SET")
            )
        }
    }

    /// Writes everything; for within a transaction.
    ///
    /// Jobs come first, their journal refers to them.
    func write(to connection: Database) throws {
        try writeJobs(to: connection)
        try writeDecisions(to: connection)
        try writeJournal(to: connection)
        try writeSessions(to: connection)
        try write(images, to: "image", connection)
        try write(setDurations, to: "set_duration", connection)
        for id in deletedImages {
            try connection.cachedStatement(sql: "DELETE FROM image WHERE id = ?")
                .execute(arguments: [id])
        }
        for id in deletedJobs {
            try connection.cachedStatement(sql: "DELETE FROM job WHERE id = ?")
                .execute(arguments: [id.text])
        }
        try answers.write(to: connection)
        try writeAudit(to: connection)
        for body in events {
            try connection.cachedStatement(sql: "INSERT INTO event (body) VALUES (?)")
                .execute(arguments: [body])
        }
    }

    private func writeJobs(to connection: Database) throws {
        guard !jobs.isEmpty else { return }
        let statement = try connection.cachedStatement(
            sql: """
                INSERT INTO job (id, kind, state, finished, body) VALUES (?, ?, ?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET
                    state = excluded.state, finished = excluded.finished, body = excluded.body
                """
        )
        for row in jobs {
            try statement.execute(
                arguments: [
                    row.job.id.text, row.job.spec.work.kind.rawValue, row.job.state.name,
                    row.job.state.isTerminal, row.body,
                ]
            )
        }
    }

    /// The first decision of a job stands; the same one again changes nothing.
    private func writeDecisions(to connection: Database) throws {
        for (job, decision) in decisions {
            let statement = try connection.cachedStatement(
                sql: """
                    INSERT INTO decision (job, decision)
                    SELECT ordinal, ? FROM job WHERE id = ?
                    ON CONFLICT (job) DO UPDATE SET decision = decision RETURNING decision
                    """
            )
            let stands = try String.fetchOne(statement, arguments: [decision.rawValue, job.text])
            guard stands == decision.rawValue else { throw Self.refusal(decision, of: job) }
        }
    }

    private static func refusal(_ decision: Decision, of job: JobID) -> Problem {
        switch decision {
        case .abort:
            Problem(.jobCommitted, "The commit of job \(job) is in the store: it stands.")
        case .commit:
            Problem(.cancelled, "The abort of job \(job) is in the store: no commit follows it.")
        }
    }

    private func writeJournal(to connection: Database) throws {
        guard !journal.isEmpty else { return }
        // A job that is not there gives a NULL, which the table refuses.
        let statement = try connection.cachedStatement(
            sql: """
                WITH owner (ordinal) AS (VALUES ((SELECT ordinal FROM job WHERE id = ?)))
                INSERT INTO journal (job, sequence, body)
                SELECT ordinal,
                    (SELECT coalesce(max(sequence), 0) + 1 FROM journal WHERE job = ordinal), ?
                FROM owner
                """
        )
        for row in journal { try statement.execute(arguments: [row.id, row.body]) }
    }

    private func writeSessions(to connection: Database) throws {
        guard !sessions.isEmpty else { return }
        let statement = try connection.cachedStatement(
            sql: """
                INSERT INTO session (id, open, body) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET open = excluded.open, body = excluded.body
                """
        )
        for row in sessions {
            try statement.execute(
                arguments: [row.session.id.text, row.session.status == .open, row.body]
            )
        }
    }

    private func writeAudit(to connection: Database) throws {
        guard !audit.isEmpty else { return }
        let statement = try connection.cachedStatement(
            sql: """
                INSERT INTO audit (id, finished, body) VALUES (?, ?, ?)
                ON CONFLICT (id) DO UPDATE SET finished = excluded.finished, body = excluded.body
                """
        )
        for row in audit {
            try statement.execute(
                arguments: [row.record.id.text, row.record.state != .running, row.body]
            )
        }
    }

    private func write(_ rows: [NamedRow], to table: String, _ connection: Database) throws {
        guard !rows.isEmpty else { return }
        let statement = try connection.cachedStatement(
            sql: """
                INSERT INTO \(table) (id, body) VALUES (?, ?)
                ON CONFLICT (id) DO UPDATE SET body = excluded.body
                """
        )
        for row in rows { try statement.execute(arguments: [row.id, row.body]) }
    }
}
