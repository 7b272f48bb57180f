/// Where somebody wants to follow events from.
package enum EventCursor: Hashable, Sendable {
    /// From the next one on.
    case now
    /// From the one after this number on.
    case after(Int64)
    /// From a place that is none of this store's.
    case unknown
}

/// What a subscriber gets next.
package enum EventRead: Sendable {
    case event(PublishedEvent)
    /// Everything up to this number was told; what comes now has just happened.
    case ready(Int64)
    /// Events are missing.
    ///
    /// It goes on after `sequence`; what is kept can be had from after `oldest` on.
    case gap(sequence: Int64, oldest: Int64)
    /// Nothing has happened for a while; everything up to this number was told, if that is known.
    case heartbeat(Int64?)
    /// Nothing now.
    case later
    /// The daemon stops.
    case end
    /// The store cannot be read.
    case failed
}

/// Somebody who follows the events, until it is ended or let go.
package final class EventSubscription: Sendable {
    private let feed: EventFeed
    private let ticket: UInt64

    init(_ feed: EventFeed, _ ticket: UInt64) {
        self.feed = feed
        self.ticket = ticket
    }

    deinit { end() }

    /// The next thing.
    ///
    /// Never blocks. With `later` the closure, if there is one, is called once when it is worth
    /// asking again, on a thread of the feed's.
    package func next(whenReady: (@Sendable () -> Void)?) -> EventRead {
        feed.next(for: ticket, whenReady)
    }

    package func end() { feed.end(ticket) }
}
