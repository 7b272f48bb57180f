internal import MigrationCore
internal import Synchronization

/// The images there are, and which jobs read them.
final class ImageCatalogue: Sendable {
    private struct State {
        var records: [ImageID: ImageRecord] = [:]
        var users: [ImageID: Set<JobID>] = [:]
    }

    /// Guards the catalogue.
    ///
    /// A leaf.
    private let state = Mutex(State())

    func insert(_ records: [ImageRecord]) {
        state.withLock { state in
            for record in records { state.records[record.id] = record }
        }
    }

    func record(_ id: ImageID) -> ImageRecord? { state.withLock { $0.records[id] } }

    /// Newest first.
    var all: [ImageRecord] {
        let records = state.withLock { Array($0.records.values) }
        return records.sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }
    }

    /// Keeps an image for a job that reads it.
    ///
    /// Whoever accepts no copy has it alone, and only as long as nothing was made of it. Throws
    /// `invalid-field`, `copy-not-accepted`, `image-busy`.
    func beginUse(
        of id: ImageID,
        by job: JobID,
        isCopyAccepted: Bool
    ) throws(Problem) {
        let bar = state.withLock { state in
            let bar = Self.bar(to: id, isCopyAccepted, state)
            if bar == nil { state.users[id, default: []].insert(job) }
            return bar
        }
        if let bar { throw Self.refusal(of: id, bar) }
    }

    /// Why ``beginUse(of:by:isCopyAccepted:)`` would refuse now; nil when it would not.
    func refusal(of id: ImageID, isCopyAccepted: Bool) -> Problem? {
        state.withLock { Self.bar(to: id, isCopyAccepted, $0) }.map { Self.refusal(of: id, $0) }
    }

    private enum Bar {
        case missing
        case copied
        case used(JobID)
    }

    private static func bar(to id: ImageID, _ isCopyAccepted: Bool, _ state: State) -> Bar? {
        guard let record = state.records[id] else { return .missing }
        guard !isCopyAccepted else { return nil }
        return record.sourceResumed ? .copied : state.users[id]?.first.map(Bar.used)
    }

    private static func refusal(of id: ImageID, _ bar: Bar) -> Problem {
        var facts = Problem.Facts()
        facts.image = id
        switch bar {
        case .missing: return missing(id)
        case .copied:
            return Problem(
                .copyNotAccepted,
                "The content of image \(id) may run elsewhere: restoring it makes a copy; say accept_copy.",
                facts
            )
        case .used(let user):
            facts.blockingJob = user
            return Problem(
                .imageBusy,
                "Job \(user) restores image \(id); a second restore makes a copy.",
                facts
            )
        }
    }

    /// What is wrong with a request that names no image there is.
    static func missing(_ id: ImageID) -> Problem {
        var facts = Problem.Facts()
        facts.image = id
        facts.pointer = "/image"
        return Problem(.invalidField, "There is no image \(id).", facts)
    }

    func endUse(of id: ImageID, by job: JobID) {
        state.withLock { state in
            state.users[id]?.remove(job)
            if state.users[id]?.isEmpty == true { state.users[id] = nil }
        }
    }

    /// Takes an image off the catalogue for good.
    ///
    /// Throws `not-found`, and `image-busy` while a job reads it.
    func remove(_ id: ImageID) throws(Problem) -> ImageRecord {
        enum Answer {
            case removed(ImageRecord)
            case used(JobID)
            case missing
        }
        let answer: Answer = state.withLock { state in
            guard let record = state.records[id] else { return .missing }
            if let user = state.users[id]?.first { return .used(user) }
            state.records[id] = nil
            return .removed(record)
        }
        var facts = Problem.Facts()
        facts.image = id
        switch answer {
        case .removed(let record): return record
        case .missing: throw Problem(.notFound, "There is no image \(id).", facts)
        case .used(let job):
            facts.blockingJob = job
            throw Problem(.imageBusy, "Job \(job) reads image \(id).", facts)
        }
    }
}
