/// How a reader goes through the jobs of a store, a stretch at a time.
package struct JobWalk: Sendable {
    package var order = Order.newestFirst
    /// The place of the job the stretch before ended with; nil for the first stretch.
    ///
    /// Places are never used again, so a walk goes on from one whose job is gone.
    package var from: JobPlace?
    /// Jobs of other kinds are passed by.
    package var kind: String?
    /// Jobs that ended in other states are passed by; one that has not ended may be further in
    /// memory than in the store, so it is left to `isWanted`.
    package var state: String?
    /// Wanted jobs of a stretch, at most.
    package var limit: Int
    /// Jobs that are looked at for them, at most.
    package var scanLimit: Int

    package init(limit: Int, scanLimit: Int = .max) {
        self.limit = limit
        self.scanLimit = scanLimit
    }

    /// By when jobs were made.
    package enum Order: Sendable {
        case newestFirst
        case oldestFirst
    }
}

/// Where a job stands in the order of creation.
package typealias JobPlace = Int64

/// What a walk met on one stretch.
package struct JobStretch: Sendable {
    /// The wanted jobs, in the order of the walk.
    package var jobs: [(place: JobPlace, job: Job)] = []
    /// Where the walk goes on when it had to stop; nil when it came to the end.
    package var end: JobPlace?

    package init() {}
}
