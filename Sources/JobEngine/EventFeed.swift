internal import Dispatch
package import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// Tells subscribers what changed, in the order the store has it, and never before memory shows it.
///
///     commit ── wakes ──► reader ── store ──► ring ── wakes ──► subscribers
///                                   store ──► those that are behind the ring, page by page
///
/// A commit does no more for its events than to count itself and to wake the reader, which works
/// only while somebody listens. A subscriber costs a position in the ring.
package final class EventFeed: Sendable {
    /// Events read from the store, behind `base`.
    struct Page {
        let base: Int64
        let events: [PublishedEvent]
        let isLast: Bool
    }

    enum Reader {
        case idle
        /// `isStale`: something was committed since.
        case reading(isStale: Bool)
        /// It has read a page, and memory does not show all of it yet.
        case waiting(Page, isStale: Bool)
        case closed
    }

    struct State {
        var reader = Reader.idle
        var commits = CommitsUnderWay()
        /// Nil until somebody listened.
        var ring: EventRing?
        var subscribers: [UInt64: EventSubscriber] = [:]
        var lastTicket: UInt64 = 0
        /// Beats while there are subscribers.
        var heart: OneShotTimer?
        var encode: @Sendable (StoredEvent) -> [UInt8] = { _ in [] }
    }

    /// The part of the ids of events that is the store's.
    package let storeID: String
    let store: any JobStore
    let ringLimit: Int
    let pageLimit: Int
    let subscriberLimit: Int
    private let heartbeatNanoseconds: UInt64
    private let clock: any HostClock
    let readerQueue = DispatchQueue(label: "ferry.events")
    let replayQueue = DispatchQueue(label: "ferry.replay")
    /// Guards everything that changes of the feed.
    ///
    /// A leaf: the store is read, events are encoded and subscribers are woken outside of it, by
    /// work that is put on the queues.
    let state = Mutex(State())

    init(store: any JobStore, configuration: EngineConfiguration, clock: any HostClock) {
        self.store = store
        self.clock = clock
        storeID = store.storeID
        ringLimit = max(1, configuration.eventRingCount)
        pageLimit = max(1, configuration.eventPageCount)
        subscriberLimit = configuration.eventSubscriberLimit
        heartbeatNanoseconds = UInt64(configuration.eventHeartbeatMilliseconds) * 1_000_000
    }

    /// Says how events are encoded from now on: on a thread of the feed's, and once for everybody
    /// who is not behind.
    package func encode(by encode: @escaping @Sendable (StoredEvent) -> [UInt8]) {
        state.withLock { $0.encode = encode }
    }

    /// The time, for what tells of no event.
    package func timestamp() -> Timestamp { clock.timestamp() }

    // MARK: Subscribers

    /// Lets somebody follow the events.
    ///
    /// Never blocks. Throws `overloaded` when too many do, `shutting-down` when the feed is closed.
    package func subscribe(from cursor: EventCursor) throws(Problem) -> EventSubscription {
        enum Answer {
            case taken(UInt64, isFirst: Bool)
            case full
            case closed
        }
        let answer: Answer = state.withLock { state in
            if case .closed = state.reader { return .closed }
            guard state.subscribers.count < subscriberLimit else { return .full }
            state.lastTicket += 1
            state.subscribers[state.lastTicket] = EventSubscriber(cursor)
            wakeReader(&state)
            return .taken(state.lastTicket, isFirst: state.subscribers.count == 1)
        }
        switch answer {
        case .taken(let ticket, let isFirst):
            if isFirst { startHeart() }
            return EventSubscription(self, ticket)
        case .full:
            var facts = Problem.Facts()
            facts.retryAfterSeconds = 5
            throw Problem(.overloaded, "\(subscriberLimit) clients follow events already.", facts)
        case .closed:
            throw Problem(.shuttingDown, "The daemon is stopping and tells no more events.")
        }
    }

    func end(_ ticket: UInt64) {
        // Returned, so that what it holds is let go after the lock.
        _ = state.withLock { state in
            let ended = state.subscribers.removeValue(forKey: ticket)
            let heart = state.subscribers.isEmpty ? state.heart : nil
            if state.subscribers.isEmpty { state.heart = nil }
            return (ended, heart)
        }
    }

    /// Clients that follow now.
    package var subscriberCount: Int { state.withLock { $0.subscribers.count } }

    /// What a subscriber gets next; see ``EventSubscription/next(whenReady:)``.
    func next(for ticket: UInt64, _ whenReady: (@Sendable () -> Void)?) -> EventRead {
        state.withLock { state in
            guard var subscriber = state.subscribers[ticket] else { return .end }
            defer { state.subscribers[ticket] = subscriber }
            let wasAsking = subscriber.isAsking
            if let read = subscriber.next(state.ring) { return read }
            if subscriber.isAsking, !wasAsking { askStore(for: ticket) }
            if subscriber.owed.remove(.heartbeat) != nil { return .heartbeat(subscriber.position) }
            if case .closed = state.reader { return .end }
            if let whenReady { subscriber.waiter = whenReady }
            return .later
        }
    }

    // MARK: The heart

    private func startHeart() {
        let heart = OneShotTimer(nanoseconds: heartbeatNanoseconds, on: readerQueue) {
            [weak self] in
            self?.beat()
        }
        _ = state.withLock { state in
            defer { if !state.subscribers.isEmpty { state.heart = heart } }
            return state.heart
        }
    }

    /// Gives everybody a sign of life, and looks for events whose commit woke nobody.
    private func beat() {
        let waiters = state.withLock { state in
            for ticket in state.subscribers.keys {
                state.subscribers[ticket]?.owed.insert(.heartbeat)
            }
            wakeReader(&state)
            return takeWaiters(&state)
        }
        startHeart()
        for wake in waiters { wake() }
    }

    func takeWaiters(_ state: inout State) -> [@Sendable () -> Void] {
        state.subscribers.keys.compactMap { ticket in
            let waiter = state.subscribers[ticket]?.waiter
            if waiter != nil { state.subscribers[ticket]?.waiter = nil }
            return waiter
        }
    }
}

extension EventSubscriber {
    fileprivate var isAsking: Bool {
        if case .asking = place { true } else { false }
    }
}
