internal import APISchema
internal import JobEngine
internal import MigrationCore
internal import Synchronization

/// One client's events, as the transport takes them.
final class EventStream: StreamedBody {
    let byteCount: UInt64? = nil
    private let subscription: EventSubscription
    private let feed: EventFeed
    private let text: EventText
    private let filter: Filter<EventDTO>?
    /// Events that a filter passes over before the client is given a sign of life: it keeps its
    /// place, and other connections of the thread have their turn.
    static let passingLimit = 128
    /// Guards what was begun and did not fit.
    ///
    /// Held while a part is read, by the one thread that reads; the feed's lock is taken inside.
    private let begun: Mutex<ArraySlice<UInt8>>

    init(
        _ subscription: EventSubscription,
        of feed: EventFeed,
        _ text: EventText,
        _ filter: Filter<EventDTO>?
    ) {
        self.subscription = subscription
        self.feed = feed
        self.text = text
        self.filter = filter
        self.begun = Mutex(EventText.opening[...])
    }

    func read(
        into buffer: UnsafeMutableRawBufferPointer,
        whenReady: @escaping @Sendable () -> Void
    ) -> StreamedRead {
        begun.withLock { begun in
            var count = 0
            var passed = 0
            while count < buffer.count {
                if !begun.isEmpty {
                    let room = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[count...])
                    let taken = begun.prefix(room.count)
                    unsafe room.copyBytes(from: taken)
                    begun = begun.dropFirst(taken.count)
                    count += taken.count
                    continue
                }
                let read = subscription.next(whenReady: count == 0 ? whenReady : nil)
                if let block = block(of: read) {
                    begun = block[...]
                    guard block.isEmpty, case .event(let event) = read else { continue }
                    passed += 1
                    guard passed >= Self.passingLimit else { continue }
                    if count > 0 { return .bytes(count) }
                    begun = text.heartbeat(at: event.sequence)[...]
                } else if count > 0 {
                    return .bytes(count)
                } else {
                    return read.ending
                }
            }
            return .bytes(count)
        }
    }

    func didEnd() { subscription.end() }

    /// What is sent for something of the feed, if anything is; nil when there is no more just now.
    private func block(of read: EventRead) -> [UInt8]? {
        switch read {
        case .event(let event): isWanted(event) ? event.text : []
        case .ready(let sequence): text.ready(at: sequence, feed.timestamp())
        case .gap(let sequence, let oldest):
            text.gap(at: sequence, oldest: oldest, feed.timestamp())
        case .heartbeat(let sequence): text.heartbeat(at: sequence)
        case .later, .end, .failed: nil
        }
    }

    /// Whether the client asked for it; it is told of what cannot be read, whatever it asked for.
    private func isWanted(_ published: PublishedEvent) -> Bool {
        guard let filter, let event = published.event else { return true }
        return filter.matches(EventDTO(event, id: EventID(published.sequence, of: text.store)))
    }
}

extension EventRead {
    fileprivate var ending: StreamedRead {
        switch self {
        case .end: .end
        case .failed: .failed
        case .later, .event, .ready, .gap, .heartbeat: .later
        }
    }
}
