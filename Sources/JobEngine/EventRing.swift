package import MigrationCore

/// An event as subscribers get it: encoded once for all of them.
package final class PublishedEvent: Sendable {
    package let sequence: Int64
    /// Nil for one that the store cannot read any more.
    package let event: Event?
    package let text: [UInt8]

    init(_ stored: StoredEvent, text: [UInt8]) {
        self.sequence = stored.sequence
        self.event = stored.event
        self.text = text
    }
}

/// The last events, so many of them at most.
struct EventRing {
    private let limit: Int
    private var entries: [PublishedEvent] = []
    /// Where the oldest entry is, once the ring is full.
    private var start = 0
    /// Every event after this one up to `head` is in the ring.
    private(set) var base: Int64
    private(set) var head: Int64

    /// A ring of nothing that goes on after an event.
    init(limit: Int, after sequence: Int64) {
        self.limit = max(1, limit)
        base = sequence
        head = sequence
    }

    mutating func append(_ event: PublishedEvent) {
        if entries.count < limit {
            entries.append(event)
        } else {
            base = entries[start].sequence
            entries[start] = event
            start = (start + 1) % limit
        }
        head = event.sequence
    }

    /// The first event after a number that is not below `base`; nil at the head.
    func first(after sequence: Int64) -> PublishedEvent? {
        guard sequence < head else { return nil }
        // Numbers grow, by one as a rule; what the store lost must not be missed for that.
        var (low, high) = (0, entries.count - 1)
        while low < high {
            let middle = (low + high) / 2
            if entry(middle).sequence > sequence { high = middle } else { low = middle + 1 }
        }
        return entry(low)
    }

    private func entry(_ index: Int) -> PublishedEvent {
        entries[(start + index) % entries.count]
    }
}
