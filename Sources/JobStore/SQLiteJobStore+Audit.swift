internal import GRDB
package import MigrationCore
internal import MigrationPorts

/// The records of the audit.
extension SQLiteJobStore {
    /// Damaged ones are told of, and keep their places.
    package func audit(
        from place: AuditPlace?,
        newestFirst: Bool,
        limit: Int
    ) throws(Problem) -> [StoredAuditRecord] {
        let (comparison, direction, start) =
            newestFirst ? ("<", "DESC", AuditPlace.max) : (">", "ASC", AuditPlace.min)
        let rows = try rows(
            """
            SELECT ordinal, id AS name, body FROM audit
            WHERE ordinal \(comparison) ? ORDER BY ordinal \(direction) LIMIT ?
            """,
            [place ?? start, max(0, limit)]
        )
        return rows.map { row in
            StoredAuditRecord(place: row.ordinal, record: try? record(row).get())
        }
    }

    /// Throws `store-failed` when the record is there and cannot be read.
    package func auditRecord(_ id: AuditID) throws(Problem) -> AuditRecord? {
        let rows = try rows("SELECT ordinal, id AS name, body FROM audit WHERE id = ?", [id.text])
        guard let row = rows.first else { return nil }
        switch record(row) {
        case .success(let record): return record
        case .failure(let damage): throw damage.problem
        }
    }

    package func unfinishedAudit() throws(Problem) -> [AuditRecord] {
        let rows = try rows(
            "SELECT ordinal, id AS name, body FROM audit WHERE finished = 0 ORDER BY ordinal"
        )
        return rows.compactMap { try? record($0).get() }
    }

    private func record(_ row: StoredRow) -> Result<AuditRecord, DamagedRecord> {
        let result = RecordText.decode(
            AuditRecord.self,
            from: row.body,
            of: "record \(row.name) of the audit"
        )
        if case .failure(let damage) = result { onDamage(damage) }
        return result
    }
}
