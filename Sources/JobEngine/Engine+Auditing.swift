package import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// Who asked for which change, and what came of it.
///
/// The intent is on the disk before anything is changed, and the outcome before anybody hears of it.
extension Engine {
    /// Outcomes after which a few old records are forgotten, so that a flood of refusals grows nothing.
    private static let forgettingInterval = 32
    /// Outcomes for which that waits for the end of the jobs that run.
    private static let forgettingPatience = 1024

    /// One record of the audit.
    ///
    /// Blocking. Throws `not-found`.
    package func auditRecord(_ id: AuditID) throws(Problem) -> AuditRecord {
        if let record = try store.auditRecord(id) { return record }
        throw Problem(.notFound, "The audit has no record \(id).")
    }

    /// The records of one stretch of the audit that `isWanted` says yes to.
    ///
    /// `end` is where the next stretch begins when this one had to stop; nil at the end. Blocking.
    package func audit(
        from start: AuditPlace?,
        newestFirst: Bool,
        limit: Int,
        where isWanted: (AuditRecord) -> Bool
    ) throws(Problem) -> (records: [(place: AuditPlace, record: AuditRecord)], end: AuditPlace?) {
        var found: [(place: AuditPlace, record: AuditRecord)] = []
        var place = start
        var left = configuration.auditScanLimit
        while left > 0 {
            let count = min(max(limit, 128), left)
            let batch = try store.audit(from: place, newestFirst: newestFirst, limit: count)
            for stored in batch {
                place = stored.place
                guard let record = stored.record, isWanted(record) else { continue }
                found.append((stored.place, record))
                if found.count == limit { return (found, place) }
            }
            guard batch.count == count else { return (found, nil) }
            left -= count
        }
        return (found, place)
    }

    // MARK: Keeping it

    func newAuditRecord(
        _ action: AuditRecord.Action,
        of subject: DeviceID,
        _ requester: Requester
    ) throws(Problem) -> AuditRecord {
        try AuditRecord(
            id: .new("aud"),
            action: action,
            subject: subject,
            requester: requester,
            startedAt: clock.timestamp(),
            boot: SystemNames.boot
        )
    }

    /// Does what comes before a change, and keeps why it is refused.
    func auditingRefusal<Value>(
        of record: AuditRecord,
        _ work: () throws(Problem) -> Value
    ) throws(Problem) -> Value {
        do throws(Problem) {
            return try work()
        } catch {
            var record = record
            record.end(.refused(error), at: clock.timestamp())
            // Nothing was changed, so the refusal stands whether it is kept or not.
            try? keep([record], .process)
            throw error
        }
    }

    /// Makes a change whose subject is locked: between its intent and its outcome.
    ///
    /// Throws `store-failed`, and changes nothing, when the intent cannot be written.
    func audited<Value>(
        _ record: AuditRecord,
        _ work: (inout AuditRecord) throws(Problem) -> Value
    ) throws(Problem) -> Value {
        var record = record
        record.before = backends.place(of: record.subject)
        try keep([record], .machine)
        do throws(Problem) {
            let value = try work(&record)
            end(record, .succeeded)
            return value
        } catch {
            // Only a write to sysfs names its operation so; all else is found before the first one.
            let isTried = error.code == .kernelRefused || error.code == .permissionDenied
            end(record, isTried ? .failed(error) : .refused(error))
            throw error
        }
    }

    /// Keeps an outcome, or owes it to the next write.
    func end(_ record: AuditRecord, _ state: AuditRecord.State, events: [Event] = []) {
        var record = record
        record.after = backends.place(of: record.subject)
        record.end(state, at: clock.timestamp())
        // Nothing was changed by what is refused: without this line a record of it says just that.
        let durability: Durability = if case .refused = state { .process } else { .machine }
        do throws(Problem) {
            try keep([record], durability, events: events)
        } catch {
            // No more than there are changes at a time: the next one begins with what is owed.
            owedAudit.withLock { $0.append(record) }
        }
    }

    /// Keeps outcomes that the store did not take before.
    ///
    /// Blocking. What it does not take now stays owed.
    func keepOwedAudit() {
        guard !owedAudit.withLock(\.isEmpty) else { return }
        try? keep([], .machine)
    }

    /// Forgets a few old records for those that came since; for behind an answer, when no device is
    /// locked for it any more.
    ///
    /// Blocking. A job's downtime is spared as long as not too many wait for that.
    func forgetForAudit() {
        let count = auditCount.load(ordering: .relaxed)
        guard count >= Self.forgettingInterval,
            count >= Self.forgettingPatience || jobTable.active.isEmpty,
            auditCount.compareExchange(expected: count, desired: 0, ordering: .relaxed).exchanged
        else { return }
        for _ in 0..<count / Self.forgettingInterval {
            guard forget() else { return }
        }
    }

    private func keep(
        _ records: [AuditRecord],
        _ durability: Durability,
        events: [Event] = []
    ) throws(Problem) {
        let owed = owedAudit.withLock { owed in
            defer { owed = [] }
            return owed
        }
        var change = StoreChange(events: events)
        change.audit = owed + records
        // What is owed had to survive the machine.
        let durability = owed.isEmpty ? durability : .machine
        do throws(Problem) {
            if events.isEmpty {
                try store.apply(change, durability)
            } else {
                try self.events.telling { () throws(Problem) in
                    try store.apply(change, durability)
                }
            }
        } catch {
            owedAudit.withLock { $0 = owed + $0 }
            throw error
        }
        let count = change.audit.count { $0.state != .running }
        auditCount.add(count, ordering: .relaxed)
    }
}
