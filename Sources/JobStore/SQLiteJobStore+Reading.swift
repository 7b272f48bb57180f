internal import GRDB
package import MigrationCore
internal import MigrationPorts

extension SQLiteJobStore {
    /// A row before its body is decoded, which is done after the connection was given back.
    private struct StoredRow {
        let ordinal: Int64
        let name: String
        let body: String?

        init(_ row: Row) {
            ordinal = Int64.fromDatabaseValue(row["ordinal"]) ?? 0
            name = String.fromDatabaseValue(row["name"]) ?? "?"
            body = String.fromDatabaseValue(row["body"])
        }
    }

    /// Throws `store-failed` when the job is there and cannot be read.
    package func job(_ id: JobID) throws(Problem) -> Job? {
        let rows = try rows(
            "SELECT ordinal, id AS name, body FROM job WHERE id = ?",
            [id.text]
        )
        guard let row = rows.first else { return nil }
        switch RecordText.decode(Job.self, from: row.body, of: "job \(id)") {
        case .success(let job): return job
        case .failure(let damage):
            onDamage(damage)
            throw damage.problem
        }
    }

    /// Jobs, newest first.
    ///
    /// Throws `not-found` when there is no job `before`.
    package func jobs(before: JobID?, limit: Int) throws(Problem) -> [Job] {
        var end = Int64.max
        if let before { end = try ordinal(of: before) }
        var jobs: [Job] = []
        // A damaged record must not make a page look like the last one, so more are fetched.
        while jobs.count < limit {
            let wanted = limit - jobs.count
            let rows = try rows(
                """
                SELECT ordinal, id AS name, body FROM job
                WHERE ordinal < ? ORDER BY ordinal DESC LIMIT ?
                """,
                [end, wanted]
            )
            jobs += readable(Job.self, rows) { "job \($0.name)" }
            guard let last = rows.last, rows.count == wanted else { break }
            end = last.ordinal
        }
        return jobs
    }

    package func unfinishedJobs() throws(Problem) -> [Job] {
        let rows = try rows(
            "SELECT ordinal, id AS name, body FROM job WHERE finished = 0 ORDER BY ordinal"
        )
        return readable(Job.self, rows) { "job \($0.name)" }
    }

    package func unresolvedJobs() throws(Problem) -> [Job] {
        let rows = try rows(
            """
            SELECT ordinal, id AS name, body FROM job
            WHERE state = 'indeterminate' ORDER BY ordinal
            """
        )
        return readable(Job.self, rows) { "job \($0.name)" }
    }

    /// Lines of a job's journal in order, damaged ones as `unreadable`; empty for a job that is not
    /// there.
    package func journal(
        of job: JobID,
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [StoredJournalEntry] {
        let rows = try rows(
            """
            SELECT sequence AS ordinal, id AS name, journal.body AS body
            FROM journal JOIN job ON job.ordinal = journal.job
            WHERE job.id = ? AND sequence > ? ORDER BY sequence LIMIT ?
            """,
            [job.text, sequence, max(0, limit)]
        )
        let lines = rows.map { row in
            let record = "line \(row.ordinal) of the journal of job \(row.name)"
            let entry =
                switch RecordText.decode(JournalEntry.self, from: row.body, of: record) {
                case .success(let entry): entry
                case .failure(let damage): standIn(for: damage)
                }
            return StoredJournalEntry(sequence: row.ordinal, entry: entry)
        }
        guard lines.count < limit, let lost = try lostLine(of: job, after: sequence) else {
            return lines
        }
        return lines + [lost]
    }

    /// Stands behind the last line of a job that had not ended when the end of the log was lost.
    private func lostLine(
        of job: JobID,
        after sequence: Int64
    ) throws(Problem) -> StoredJournalEntry? {
        guard let lostLog else { return nil }
        let rows = try rows(
            """
            SELECT coalesce(max(sequence), 0) + 1 AS ordinal, id AS name, '' AS body
            FROM job LEFT JOIN journal ON job.ordinal = journal.job
            WHERE job.id = ? AND job.finished = 0 GROUP BY job.ordinal
            """,
            [job.text]
        )
        guard let next = rows.first?.ordinal, next > sequence else { return nil }
        return StoredJournalEntry(sequence: next, entry: standIn(for: lostLog))
    }

    /// What a reader gets for a line that cannot be read.
    ///
    /// It may have been any, the commit too, so it must not look as if there were none.
    private func standIn(for damage: DamagedRecord) -> JournalEntry {
        onDamage(damage)
        let line = JournalEntry.Line.unreadable(reason: damage.reason)
        return JournalEntry(at: Timestamp(millisecondsSinceEpoch: 0), phase: nil, line: line)
    }

    /// Every session there ever was, newest first.
    package func sessions() throws(Problem) -> [SessionRecord] {
        let rows = try rows(
            "SELECT ordinal, id AS name, body FROM session ORDER BY ordinal DESC"
        )
        return readable(SessionRecord.self, rows) { "session \($0.name)" }
    }

    /// Every image, newest first.
    package func images() throws(Problem) -> [ImageRecord] {
        let rows = try rows("SELECT ordinal, id AS name, body FROM image ORDER BY ordinal DESC")
        return readable(ImageRecord.self, rows) { "image \($0.name)" }
    }

    package func setDurations() throws(Problem) -> [SetDuration] {
        let rows = try rows("SELECT 0 AS ordinal, id AS name, body FROM set_duration ORDER BY id")
        return readable(SetDuration.self, rows) { "duration of \($0.name)" }
    }

    /// Events in order, with their sequence numbers.
    package func events(
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [(sequence: Int64, event: Event)] {
        let rows = try rows(
            """
            SELECT sequence AS ordinal, 'event' AS name, body FROM event
            WHERE sequence > ? ORDER BY sequence LIMIT ?
            """,
            [sequence, max(0, limit)]
        )
        return readableRows(Event.self, rows) { "event \($0.ordinal)" }
            .map { (sequence: $0, event: $1) }
    }

    private func ordinal(of id: JobID) throws(Problem) -> Int64 {
        let rows = try rows("SELECT ordinal, id AS name, body FROM job WHERE id = ?", [id.text])
        guard let row = rows.first else {
            throw Problem(.notFound, "There is no job \(id) to list from.")
        }
        return row.ordinal
    }

    private func rows(
        _ query: String,
        _ arguments: StatementArguments = StatementArguments()
    ) throws(Problem) -> [StoredRow] {
        try perform("read") {
            try database.read { connection in
                let statement = try connection.cachedStatement(sql: query)
                return try Row.fetchAll(statement, arguments: arguments).map { StoredRow($0) }
            }
        }
    }

    private func readable<Value: Decodable>(
        _ type: Value.Type,
        _ rows: [StoredRow],
        _ record: (StoredRow) -> String
    ) -> [Value] {
        readableRows(type, rows, record).map { $1 }
    }

    /// Decodes the rows that can be, and reports the others.
    private func readableRows<Value: Decodable>(
        _ type: Value.Type,
        _ rows: [StoredRow],
        _ record: (StoredRow) -> String
    ) -> [(ordinal: Int64, value: Value)] {
        rows.compactMap { row in
            switch RecordText.decode(type, from: row.body, of: record(row)) {
            case .success(let value): return (row.ordinal, value)
            case .failure(let damage):
                onDamage(damage)
                return nil
            }
        }
    }
}
