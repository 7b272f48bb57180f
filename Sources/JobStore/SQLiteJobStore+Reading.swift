internal import GRDB
package import MigrationCore
internal import MigrationPorts

extension SQLiteJobStore {
    /// A row before its body is decoded, which is done after the connection was given back.
    private struct StoredRow {
        let ordinal: Int64
        let name: String
        let body: String?
        /// False in a row that a walk passes by; its body was not read.
        let isWanted: Bool

        init(_ row: Row) {
            ordinal = Int64.fromDatabaseValue(row["ordinal"]) ?? 0
            name = String.fromDatabaseValue(row["name"]) ?? "?"
            body = String.fromDatabaseValue(row["body"])
            isWanted = row.hasColumn("wanted") ? row["wanted"] == true : true
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

    package func jobs(
        _ walk: JobWalk,
        where isWanted: (Job) -> Bool = { _ in true }
    ) throws(Problem) -> JobStretch {
        var stretch = JobStretch()
        var place = walk.from
        var left = walk.scanLimit
        var batch = min(walk.limit, left)
        while batch > 0 {
            let rows = try rows(of: walk, from: place, limit: batch)
            for row in rows {
                place = row.ordinal
                guard row.isWanted, let job = readable(row), isWanted(job) else { continue }
                stretch.jobs.append((row.ordinal, job))
                guard stretch.jobs.count < walk.limit else {
                    stretch.end = place
                    return stretch
                }
            }
            guard rows.count == batch else { return stretch }
            left -= rows.count
            batch = min(Self.batchLimit, left)
        }
        stretch.end = place
        return stretch
    }

    /// Jobs read at once when the first ones were not enough.
    private static let batchLimit = 128

    /// The next jobs of a walk; those it passes by are there without their bodies.
    private func rows(
        of walk: JobWalk,
        from place: JobPlace?,
        limit: Int
    ) throws(Problem) -> [StoredRow] {
        let (comparison, direction, start) =
            switch walk.order {
            case .newestFirst: ("<", "DESC", JobPlace.max)
            case .oldestFirst: (">", "ASC", JobPlace.min)
            }
        return try rows(
            """
            SELECT ordinal, name, wanted, CASE WHEN wanted THEN body END AS body FROM (
                SELECT ordinal, id AS name, body,
                    (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR state = ?2 OR finished = 0)
                        AS wanted
                FROM job
            )
            WHERE ordinal \(comparison) ?3 ORDER BY ordinal \(direction) LIMIT ?4
            """,
            [walk.kind, walk.state, place ?? start, limit]
        )
    }

    private func readable(_ row: StoredRow) -> Job? {
        readable(Job.self, [row]) { "job \($0.name)" }.first
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
