import Dispatch
import MigrationPorts
import Synchronization
import SystemIO
import Testing

@testable import VFIODevices

@Suite("Signals of the kernel")
struct SignalTests {
    @Test("an event runs its handler for every signal, until it is cancelled")
    func event() throws {
        let queue = DispatchQueue(label: "events")
        let arrived = DispatchSemaphore(value: 0)
        let event = try EventDescriptor(on: queue) { arrived.signal() }
        for _ in 0..<3 {
            try event.signal()
            try #require(arrived.wait(timeout: .now() + 60) == .success)
        }
        event.cancel()
        try event.signal()
        queue.sync {}
        #expect(arrived.wait(timeout: .now()) == .timedOut)
    }

    @Test("a signal that came before the handler reaches it")
    func waiting() {
        let queue = DispatchQueue(label: "signals")
        let receiver = SignalReceiver(queue)
        let seen = Mutex<[DeviceSignal]>([])
        receiver.receive(.errorSignalled)
        receiver.receive(.errorSignalled)
        receiver.handle { signal in seen.withLock { $0.append(signal) } }
        queue.sync {}
        #expect(seen.withLock(\.self) == [.errorSignalled])
        receiver.receive(.unplugRequested)
        #expect(seen.withLock(\.self) == [.errorSignalled, .unplugRequested])
    }

    @Test("a second handler replaces the first, and none runs after the end")
    func replacing() {
        let receiver = SignalReceiver(DispatchQueue(label: "signals"))
        let seen = Mutex<[Int]>([])
        receiver.handle { _ in seen.withLock { $0.append(1) } }
        receiver.handle { _ in seen.withLock { $0.append(2) } }
        receiver.receive(.unplugRequested)
        receiver.cancel()
        receiver.receive(.unplugRequested)
        receiver.handle { _ in seen.withLock { $0.append(3) } }
        receiver.receive(.unplugRequested)
        #expect(seen.withLock(\.self) == [2])
    }
}
