internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// The eventfds by which the kernel speaks to a device's holder, and the handler they call.
final class DeviceSignals: Sendable {
    typealias Handler = @Sendable (DeviceSignal) -> Void

    /// Signals the device has and the kernel refused to arm, or does not have, with the reason.
    ///
    /// Not fatal: the device works, only its unplug or error is not announced.
    let unarmed: [DeviceSignal: Errno]

    private let events: [(index: UInt32, event: EventDescriptor)]
    private let receiver: SignalReceiver

    /// Arms what the device has.
    ///
    /// Handlers run one at a time on the queue.
    init(of device: DeviceFile, _ info: DeviceInfo, on queue: DispatchQueue) {
        let receiver = SignalReceiver(queue)
        var events: [(index: UInt32, event: EventDescriptor)] = []
        var unarmed: [DeviceSignal: Errno] = [:]
        for (signal, index) in info.signals {
            do throws(Errno) {
                guard try device.canSignal(index) else { throw .notTypewriter }
                let event = try EventDescriptor(on: queue) { receiver.receive(signal) }
                try device.arm(index, event)
                events.append((index, event))
            } catch {
                unarmed[signal] = error
            }
        }
        self.receiver = receiver
        self.events = events
        self.unarmed = unarmed
    }

    /// Arms the same events of the same device again, which was opened anew.
    func arm(_ device: DeviceFile) {
        for (index, event) in events { try? device.arm(index, event) }
    }

    /// Sets the handler.
    ///
    /// What was signalled since the device was opened, and not handled yet, is handled now: an
    /// error of the device is signalled only once.
    func handle(_ handler: @escaping Handler) { receiver.handle(handler) }

    /// No signal is handled any more.
    ///
    /// The interrupts stay armed: the device's next user may have armed events of its own by now.
    func cancel() {
        receiver.cancel()
        for (_, event) in events { event.cancel() }
    }
}

/// Where signals wait for a handler.
final class SignalReceiver: Sendable {
    private struct State {
        var handler: DeviceSignals.Handler?
        var waiting: Set<DeviceSignal> = []
        var isCancelled = false
    }

    private let queue: DispatchQueue
    // Guards the handler and the waiting signals; never held while a handler runs. A leaf.
    private let state = Mutex(State())

    init(_ queue: DispatchQueue) { self.queue = queue }

    func receive(_ signal: DeviceSignal) {
        let handler = state.withLock { state -> DeviceSignals.Handler? in
            if state.handler == nil, !state.isCancelled { state.waiting.insert(signal) }
            return state.handler
        }
        handler?(signal)
    }

    func handle(_ handler: @escaping DeviceSignals.Handler) {
        let waiting = state.withLock { state -> Set<DeviceSignal> in
            guard !state.isCancelled else { return [] }
            state.handler = handler
            defer { state.waiting = [] }
            return state.waiting
        }
        for signal in waiting { queue.async { handler(signal) } }
    }

    func cancel() {
        state.withLock { $0 = State(isCancelled: true) }
    }
}
