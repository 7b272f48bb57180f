import Dispatch
import MigrationCore
import Synchronization
import Testing

@testable import VFIODevices

@Suite("Lists that are old", .timeLimit(.minutes(2)))
struct OldListTests {
    /// A name with a number that tells looks apart.
    private struct Seen: WatchedDevice {
        let id: DeviceID
        let look: Int

        func isStill(_ before: Self) -> Bool { self == before }
    }

    /// Looks that wait at a gate, but for the first `freeCount`.
    private final class Gate: Sendable {
        let began = DispatchSemaphore(value: 0)
        private let isOpen = DispatchSemaphore(value: 0)
        private let count = Atomic(0)
        private let freeCount: Int
        private let id: DeviceID

        init(free freeCount: Int) throws {
            self.freeCount = freeCount
            id = try #require(DeviceID("a"))
        }

        func seen(_ look: Int) -> Seen { Seen(id: id, look: look) }

        func open() { isOpen.signal() }

        @Sendable
        func look() -> (devices: [Seen], isWhole: Bool) {
            let number = count.add(1, ordering: .relaxed).newValue
            if number > freeCount {
                began.signal()
                // Nobody opens it for who waits for the look where nobody should.
                _ = isOpen.wait(timeout: .now() + 20)
            }
            return ([seen(number)], true)
        }
    }

    /// Every list is old, and a look is waited for as long as a test says.
    private func options(patience: UInt64, stale: UInt64 = 1 << 60) -> WatchOptions {
        var options = WatchOptions()
        options.ageLimitNanoseconds = 0
        options.patienceNanoseconds = patience
        options.staleNanoseconds = stale
        options.longPatienceNanoseconds = Self.minute
        options.startPatienceNanoseconds = Self.minute
        return options
    }

    private static let minute: UInt64 = 60_000_000_000

    @Test("an old list makes it look, and who asks has the new one")
    func age() throws {
        let gate = try Gate(free: .max)
        let watch = DeviceWatch(hearing: nil, options(patience: Self.minute), gate.look)
        #expect(watch.devices == [gate.seen(2)])
    }

    @Test("all who ask for an old list wait for the one look that comes, and have its list")
    func severalAskers() throws {
        let gate = try Gate(free: 1)
        let watch = DeviceWatch(hearing: nil, options(patience: Self.minute), gate.look)
        let lists = Mutex<[[Seen]]>([])
        let (asking, answered) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        for number in 0..<3 {
            DispatchQueue(label: "asker \(number)").async {
                asking.signal()
                let list = watch.devices
                lists.withLock { $0.append(list) }
                answered.signal()
            }
        }
        for _ in 0..<3 { asking.wait() }
        gate.began.wait()
        // Nobody has an answer while the look is under way, however long one waits.
        #expect(answered.wait(timeout: .now() + 0.3) == .timedOut)
        for _ in 0..<3 { gate.open() }
        for _ in 0..<3 { answered.wait() }
        let old = [gate.seen(1)]
        #expect(lists.withLock { !$0.contains(old) && $0.count == 3 })
    }

    @Test("an old list that takes long to look at is given as it is, and the look goes on")
    func impatience() throws {
        let gate = try Gate(free: 1)
        let watch = DeviceWatch(hearing: nil, options(patience: 0), gate.look)
        #expect(watch.devices == [gate.seen(1)])
        gate.began.wait()
        // Under way, and not waited for either.
        #expect(watch.devices == [gate.seen(1)])
        gate.open()
        gate.open()
        watch.lookNow()
        #expect(watch.devices.first?.look ?? 0 > 1)
    }

    @Test("a list that is very old is waited for where looks are slow, too")
    func stale() throws {
        let gate = try Gate(free: .max)
        let watch = DeviceWatch(hearing: nil, options(patience: 0, stale: 0), gate.look)
        #expect(watch.devices == [gate.seen(2)])
    }

    @Test("a look that hangs is not waited for by those who come late")
    func hanging() throws {
        let gate = try Gate(free: 1)
        var options = options(patience: Self.minute, stale: 0)
        options.longPatienceNanoseconds = 0
        let watch = DeviceWatch(hearing: nil, options, gate.look)
        #expect(watch.devices == [gate.seen(1)])
        gate.began.wait()
        #expect(watch.devices == [gate.seen(1)])
        gate.open()
    }

    @Test("a first look that hangs leaves what is assumed, and is told as a change when it is over")
    func assumed() async throws {
        let gate = try Gate(free: 0)
        var options = options(patience: 0)
        options.ageLimitNanoseconds = 1 << 60
        options.startPatienceNanoseconds = 0
        let unseen = [gate.seen(0)]
        let watch = DeviceWatch(hearing: nil, assuming: unseen, options, gate.look)
        #expect(watch.devices == unseen)
        let (changes, continuation) = AsyncStream.makeStream(of: [Seen].self)
        watch.observe { _, changed in
            continuation.yield(changed)
            return true
        }
        gate.open()
        var told = changes.makeAsyncIterator()
        #expect(await told.next() == [gate.seen(1)])
        #expect(watch.devices == [gate.seen(1)])
    }

    @Test("a first look that is over in time is no change")
    func assumedInVain() throws {
        let gate = try Gate(free: .max)
        var options = options(patience: 0)
        options.ageLimitNanoseconds = 1 << 60
        let watch = DeviceWatch(
            hearing: nil,
            assuming: [gate.seen(0)],
            options,
            gate.look
        )
        #expect(watch.devices == [gate.seen(1)])
        let told = Mutex<[[Seen]]>([])
        watch.observe { _, changed in
            told.withLock { $0.append(changed) }
            return true
        }
        // Behind what observing tells; the look itself is a change by its number.
        watch.lookNow()
        #expect(told.withLock { $0 } == [[gate.seen(2)]])
    }
}
