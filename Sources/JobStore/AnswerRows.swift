internal import Foundation
internal import GRDB
package import MigrationCore

/// The answers to keyed requests of a change.
struct AnswerRows {
    let kept: [KeptAnswer]
    let forgotten: [KeyedRequest.Name]

    /// For within a transaction.
    ///
    /// A key that has an answer already refuses the whole change: what it came with was done before.
    func write(to connection: Database) throws {
        for name in forgotten {
            try connection.cachedStatement(
                sql: """
                    DELETE FROM answer WHERE caller = ? AND method = ? AND path = ? AND key = ?
                    """
            ).execute(arguments: Self.arguments(name))
        }
        for one in kept {
            try connection.cachedStatement(
                sql: """
                    INSERT INTO answer
                        (caller, method, path, key, body_digest, status, location, body, kept)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """
            ).execute(
                arguments: Self.arguments(one.request) + [
                    one.bodyDigest, one.answer.status, one.answer.location,
                    Data(one.answer.body), one.keptAt.seconds,
                ]
            )
        }
    }

    private static func arguments(_ name: KeyedRequest.Name) -> StatementArguments {
        [name.caller, name.method, name.path, name.key]
    }
}

extension SQLiteJobStore {
    package func answer(to request: KeyedRequest.Name) throws(Problem) -> KeptAnswer? {
        let row = try perform("read") {
            try database.read { connection in
                try Row.fetchOne(
                    connection,
                    sql: """
                        SELECT body_digest, status, location, body, kept FROM answer
                        WHERE caller = ? AND method = ? AND path = ? AND key = ?
                        """,
                    arguments: [request.caller, request.method, request.path, request.key]
                )
            }
        }
        guard let row else { return nil }
        guard let digest = String.fromDatabaseValue(row["body_digest"]),
            let status = Int.fromDatabaseValue(row["status"]),
            let location = String.fromDatabaseValue(row["location"]),
            let body = Data.fromDatabaseValue(row["body"]),
            let kept = Int64.fromDatabaseValue(row["kept"])
        else {
            let damage = DamagedRecord(record: "an answer", reason: "a column is of another type")
            onDamage(damage)
            throw damage.problem
        }
        return KeptAnswer(
            request: request,
            bodyDigest: digest,
            answer: RequestAnswer(status: status, location: location, body: Array(body)),
            keptAt: StoreAge(seconds: kept)
        )
    }

    package func answerCount() throws(Problem) -> Int {
        try perform("read") {
            try database.read { try Int.fetchOne($0, sql: "SELECT count(*) FROM answer") ?? 0 }
        }
    }
}
