internal import GRDB
package import MigrationCore
package import MigrationPorts

extension SQLiteJobStore {
    package func age() throws(Problem) -> StoreAge {
        let text = try perform("read") {
            try database.read {
                try String.fetchOne($0, sql: "SELECT value FROM meta WHERE key = 'age'")
            }
        }
        return StoreAge(seconds: max(0, text.flatMap { Int64($0) } ?? 0))
    }

    package func forget(
        _ retention: Retention,
        at age: StoreAge
    ) throws(Problem) -> Forgotten {
        try perform("forget") {
            try database.write { connection in
                try Forgetting(retention: retention, age: age, connection: connection).perform()
            }
        }
    }
}

/// One small transaction in which a store forgets.
///
/// The bounds by number hold whatever the age, and those by age whatever the number.
private struct Forgetting {
    let retention: Retention
    let age: StoreAge
    let connection: Database

    func perform() throws -> Forgotten {
        try connection.execute(
            sql: "UPDATE meta SET value = ? WHERE key = 'age'",
            arguments: ["\(age.seconds)"]
        )
        var forgotten = Forgotten()
        forgotten.isMoreLeft = try settle("job", where: "finished = 1 AND state <> 'indeterminate'")
        if try settle("session", where: "open = 0") { forgotten.isMoreLeft = true }
        if try settle("audit", where: "finished = 1") { forgotten.isMoreLeft = true }
        _ = try past("audit", retention.auditSeconds, retention.auditLimit, &forgotten)
        for name in try past("job", retention.seconds, retention.jobLimit, &forgotten) {
            if let id = JobID(name) { forgotten.jobs.append(id) }
        }
        for name in try past("session", retention.seconds, retention.sessionLimit, &forgotten) {
            if let id = SessionID(name) { forgotten.sessions.append(id) }
        }
        try forgetAnswers(&forgotten)
        return forgotten
    }

    /// Notes the age at which records were first found ended; true when there may be more.
    private func settle(_ table: String, where isEnded: String) throws -> Bool {
        try connection.execute(
            sql: """
                UPDATE \(table) SET settled = ? WHERE ordinal IN
                    (SELECT ordinal FROM \(table) WHERE settled IS NULL AND \(isEnded)
                        ORDER BY ordinal LIMIT ?)
                """,
            arguments: [age.seconds, retention.batchLimit]
        )
        return connection.changesCount == retention.batchLimit
    }

    /// Deletes the records of a table that are past keeping, oldest end first, and returns their
    /// names.
    private func past(
        _ table: String,
        _ seconds: Int64,
        _ limit: Int,
        _ forgotten: inout Forgotten
    ) throws -> [String] {
        let needed = table == "job" ? Set(retention.needed.map(\.text)) : []
        let count =
            try Int.fetchOne(
                connection,
                sql: "SELECT count(*) FROM \(table) WHERE settled IS NOT NULL"
            ) ?? 0
        let rows = try Row.fetchAll(
            connection,
            sql: """
                SELECT ordinal, id, settled FROM \(table) WHERE settled IS NOT NULL
                ORDER BY settled, ordinal LIMIT ?
                """,
            arguments: [retention.batchLimit + needed.count]
        )
        var names: [String] = []
        for (index, row) in rows.enumerated() {
            let (ordinal, name): (Int64, String) = (row["ordinal"], row["id"])
            let settled = StoreAge(seconds: row["settled"])
            let isPast = age.seconds(since: settled) >= seconds || index < count - limit
            guard isPast, names.count < retention.batchLimit else { break }
            if needed.contains(name) { continue }
            try connection.execute(
                sql: "DELETE FROM \(table) WHERE ordinal = ?",
                arguments: [ordinal]
            )
            names.append(name)
        }
        if names.count == retention.batchLimit { forgotten.isMoreLeft = true }
        return names
    }

    private func forgetAnswers(_ forgotten: inout Forgotten) throws {
        try connection.execute(
            sql: """
                DELETE FROM answer WHERE rowid IN
                    (SELECT rowid FROM answer WHERE kept <= ? ORDER BY kept LIMIT ?)
                """,
            arguments: [
                age.after(seconds: -retention.answerSeconds).seconds, retention.batchLimit,
            ]
        )
        forgotten.answerCount = connection.changesCount
        if connection.changesCount == retention.batchLimit { forgotten.isMoreLeft = true }
    }
}
