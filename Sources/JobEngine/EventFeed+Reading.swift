internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// From a commit to the ring, and from the store to those behind it.
extension EventFeed {
    // MARK: Commits

    /// Holds back the events that `work` commits until it returns, and has them told then.
    ///
    /// It commits a change and makes memory show it. While it waits for something no event is told.
    func telling<Result>(_ work: () throws(Problem) -> Result) throws(Problem) -> Result {
        let begun = state.withLock { $0.commits.begin() }
        defer {
            state.withLock { state in
                state.commits.end(begun)
                wakeReader(&state)
                if case .waiting = state.reader, state.commits.isShown {
                    readerQueue.async { self.publish() }
                }
            }
        }
        return try work()
    }

    /// Makes the reader read what was committed so far; nothing while nobody listens.
    func wakeReader(_ state: inout State) {
        guard !state.subscribers.isEmpty else { return }
        switch state.reader {
        case .idle:
            state.reader = .reading(isStale: false)
            readerQueue.async { self.read() }
        case .reading: state.reader = .reading(isStale: true)
        case .waiting(let page, _): state.reader = .waiting(page, isStale: true)
        case .closed: break
        }
    }

    // MARK: The reader

    private func read() {
        state.withLock { state in
            if case .reading = state.reader { state.reader = .reading(isStale: false) }
        }
        do throws(Problem) {
            let page = try nextPage()
            state.withLock { state in
                guard case .reading(let isStale) = state.reader else { return }
                // Whatever is on the page was committed by now, so its commit had begun.
                state.commits.makeTurn()
                state.reader = .waiting(page, isStale: isStale)
            }
            publish()
        } catch {
            giveUp()
        }
    }

    /// The events behind the ring's, or the last ones when those are more than it holds.
    private func nextPage() throws(Problem) -> Page {
        let (head, encode) = state.withLock { ($0.ring?.head ?? 0, $0.encode) }
        let span = try store.eventSpan()
        let base = max(head, span.forgotten, span.newest - Int64(ringLimit))
        let events = try store.events(after: base, limit: ringLimit)
        return Page(
            base: base,
            events: events.map { PublishedEvent($0, text: encode($0)) },
            isLast: events.count < ringLimit
        )
    }

    /// Puts the page that was read into the ring, if memory shows all of it.
    private func publish() {
        let waiters: [@Sendable () -> Void] = state.withLock { state in
            guard case .waiting(let page, let isStale) = state.reader, state.commits.isShown
            else { return [] }
            take(page, &state)
            state.reader = .idle
            if isStale || !page.isLast { wakeReader(&state) }
            return takeWaiters(&state)
        }
        for wake in waiters { wake() }
    }

    private func take(_ page: Page, _ state: inout State) {
        var ring = state.ring ?? EventRing(limit: ringLimit, after: page.base)
        state.ring = nil
        if ring.head != page.base { ring = EventRing(limit: ringLimit, after: page.base) }
        for event in page.events { ring.append(event) }
        state.ring = ring
        guard page.isLast else { return }
        for (ticket, subscriber) in state.subscribers {
            guard case .arriving(let cursor) = subscriber.place else { continue }
            if state.subscribers[ticket]?.arrive(cursor, ring) == true { askStore(for: ticket) }
        }
    }

    /// Cuts everybody off, as the store cannot be read: they come back with the last id they have.
    private func giveUp() {
        let waiters = state.withLock { state in
            if case .reading = state.reader { state.reader = .idle }
            for ticket in state.subscribers.keys { state.subscribers[ticket]?.place = .failed }
            return takeWaiters(&state)
        }
        for wake in waiters { wake() }
    }

    /// Tells what was committed so far, and ends every subscription behind it.
    ///
    /// Blocks for as long as the store takes to be read.
    func close() {
        let waiters = readerQueue.sync {
            let isListenedTo = state.withLock { !$0.subscribers.isEmpty }
            let page = isListenedTo ? try? nextPage() : nil
            return state.withLock { state in
                if let page { take(page, &state) }
                state.reader = .closed
                return takeWaiters(&state)
            }
        }
        for wake in waiters { wake() }
    }

    // MARK: Those behind the ring

    /// Reads a page for a subscriber that is `asking`, one subscriber after the other.
    func askStore(for ticket: UInt64) {
        replayQueue.async { self.replay(for: ticket) }
    }

    private func replay(for ticket: UInt64) {
        let (asked, head, encode) = state.withLock { state in
            guard case .asking(let cursor) = state.subscribers[ticket]?.place else {
                return (nil as EventCursor?, Int64(0), state.encode)
            }
            return (cursor, state.ring?.head ?? 0, state.encode)
        }
        guard let asked else { return }
        var place: EventSubscriber.Place
        do throws(Problem) {
            place = try replayed(asked, upTo: head, encode)
        } catch {
            place = .failed
        }
        let waiter: (@Sendable () -> Void)? = state.withLock { state in
            guard var subscriber = state.subscribers[ticket] else { return nil }
            subscriber.place = place
            if case .missing = place { subscriber.position = head }
            let waiter = subscriber.waiter
            subscriber.waiter = nil
            state.subscribers[ticket] = subscriber
            return waiter
        }
        waiter?()
    }

    /// What follows a cursor in the store, no farther than the ring: only that is sure to be shown.
    private func replayed(
        _ cursor: EventCursor,
        upTo head: Int64,
        _ encode: (StoredEvent) -> [UInt8]
    ) throws(Problem) -> EventSubscriber.Place {
        if case .after(let sequence) = cursor {
            let events = try store.events(after: sequence, limit: pageLimit)
                .filter { $0.sequence <= head }
            // Only the oldest events are ever forgotten, so what follows at once is whole.
            if events.first?.sequence == sequence + 1 {
                return .replaying(events.map { PublishedEvent($0, text: encode($0)) }[...])
            }
        }
        return .missing(oldest: min(try store.eventSpan().forgotten, head))
    }
}
