/// What the feed knows of a subscriber.
struct EventSubscriber {
    enum Place {
        /// It came, and the feed has not looked where the store is since.
        case arriving(EventCursor)
        /// It reads from the ring.
        case live
        /// It is behind the ring, and the store is asked for it.
        case asking(EventCursor)
        /// It has these out of the store to read first.
        case replaying(ArraySlice<PublishedEvent>)
        /// It has to be told that events are missing; those after `oldest` are there.
        case missing(oldest: Int64)
        /// The store could not be read for it.
        case failed
    }

    /// What it has to be told beside events.
    enum Notice {
        case ready
        case heartbeat
    }

    var place: Place
    /// The last event it was given; nil until it is sure that what follows is there.
    var position: Int64?
    var owed: Set<Notice> = [.ready]
    /// Called when there is something for it.
    var waiter: (@Sendable () -> Void)?

    init(_ cursor: EventCursor) { place = .arriving(cursor) }

    /// Gives it its place beside the ring, now that the ring is where the store is.
    ///
    /// True when the store has to be asked first.
    mutating func arrive(_ cursor: EventCursor, _ ring: EventRing) -> Bool {
        switch cursor {
        case .now: position = ring.head
        case .after(let sequence) where (ring.base...ring.head).contains(sequence):
            position = sequence
        case .after(let sequence) where sequence < ring.base:
            place = .asking(cursor)
            return true
        case .after, .unknown:
            place = .asking(.unknown)
            return true
        }
        place = .live
        return false
    }

    /// The next thing out of memory; nil when there is none, and the store has to be asked when it
    /// is `asking` then.
    mutating func next(_ ring: EventRing?) -> EventRead? {
        switch place {
        case .arriving, .asking: return nil
        case .failed: return .failed
        case .missing(let oldest):
            place = .live
            return position.map { .gap(sequence: $0, oldest: oldest) }
        case .replaying(var page):
            if let event = page.popFirst() {
                position = event.sequence
                place = .replaying(page)
                return .event(event)
            }
            place = .live
        case .live: break
        }
        guard let ring, let position else { return nil }
        guard position >= ring.base else {
            place = .asking(.after(position))
            return nil
        }
        if let event = ring.first(after: position) {
            self.position = event.sequence
            return .event(event)
        }
        return owed.remove(.ready).map { _ in .ready(position) }
    }
}
