internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// The host's end of a device file: makes the calls that come in on it, and closes the device when
/// the last duplicate of the other end is closed.
///
///     reading queue: packet ─▶ call queue, one call at a time ─▶ answer, on the call's own socket
///                    end    ─▶ close, past whatever call is waiting
final class ServedDevice: Sendable {
    let session: any DeviceSession
    private let file: SharedDescriptor
    /// What the other end is, so that a file that is handed in can be held against it.
    private let farEnd: FileIdentity
    private let reading: DispatchQueue
    private let calls: DispatchQueue
    private let onClose: @Sendable (ServedDevice) -> Void
    /// Guards the other end until it is given away: held while that is done, so that nobody takes
    /// the host's own reference for that of a client.
    ///
    /// Taken before `state`.
    private let farFile: Mutex<SharedDescriptor?>
    /// Guards what is going on; never held over a call.
    ///
    /// A leaf.
    private let state = Mutex(State())

    private struct State {
        var source: ReadSource?
        /// The last stream; those before it are dead.
        var stream: ServedStream?
        var callCount = 0
        var isClosed = false
    }

    /// Makes the file of an open device.
    init(
        _ session: any DeviceSession,
        onClose: @escaping @Sendable (ServedDevice) -> Void
    ) throws(Errno) {
        let pair = try PacketSocket.pair()
        try pair.near.descriptor.setNonBlocking()
        self.session = session
        self.file = pair.near
        self.farEnd = try pair.far.descriptor.identity()
        self.farFile = Mutex(pair.far)
        self.reading = DispatchQueue(label: "ferry.host.\(session.device).reading")
        self.calls = DispatchQueue(label: "ferry.host.\(session.device).calls")
        self.onClose = onClose
    }

    func begin() {
        let source = ReadSource(file, on: reading) { [weak self] in self?.receiveAll() }
        let isClosed = state.withLock { state in
            if !state.isClosed { state.source = source }
            return state.isClosed
        }
        source.resume()
        if isClosed { source.cancel() }
    }

    /// Gives the file away: the host has none of its own afterwards.
    func handOver(_ send: (SharedDescriptor) throws(Errno) -> Void) throws(Errno) {
        try farFile.withLock { farFile throws(Errno) in
            guard let file = farFile else { return }
            farFile = nil
            try send(file)
        }
    }

    /// Closes the device if nobody has its file any more, whether that was noticed yet or not.
    ///
    /// The device is closed when this returns true.
    func closeIfAbandoned() -> Bool {
        farFile.withLock { _ in }
        guard file.descriptor.isHungUp else { return false }
        close()
        return true
    }

    func isFarEnd(_ identity: FileIdentity) -> Bool { identity == farEnd }

    /// The last close: calls that wait are ended, streams are dead, the content is lost.
    func close() {
        let (source, stream) = state.withLock { state in
            defer { state = State(callCount: state.callCount, isClosed: true) }
            return (state.source, state.stream)
        }
        source?.cancel()
        // Again by whoever comes second, which returns when the first one is done.
        session.close()
        stream?.close()
        onClose(self)
    }

    private func receiveAll() {
        let buffer = IOBuffer(byteCount: CallPacket.headByteCount)
        while true {
            do throws(Errno) {
                var packet = try unsafe file.descriptor.receivePacket(into: buffer.bytes)
                guard packet.byteCount > 0 else { return close() }
                let answers = packet.takeSharedDescriptor()
                var rest: [SharedDescriptor] = []
                while let next = packet.takeSharedDescriptor() { rest.append(next) }
                // Nobody can be answered who brought no socket.
                guard let answers else { continue }
                accept(unsafe CallPacket(buffer.prefix(packet.byteCount)), answers, rest)
            } catch .again {
                return
            } catch .messageTooLong {
                // No call; its descriptors are closed, so whoever waits for an answer hears of it.
                continue
            } catch {
                return close()
            }
        }
    }

    private func accept(
        _ packet: CallPacket?,
        _ answers: SharedDescriptor,
        _ descriptors: [SharedDescriptor]
    ) {
        guard let packet else { return Self.send(AnswerPacket(.invalid), to: answers) }
        let isTaken = state.withLock { state in
            guard state.callCount < HostLimit.callCount else { return false }
            state.callCount += 1
            return true
        }
        guard isTaken else { return Self.send(AnswerPacket(.again), to: answers) }
        calls.async {
            self.answer(packet, answers, descriptors)
            self.state.withLock { $0.callCount -= 1 }
        }
    }

    private func answer(
        _ packet: CallPacket,
        _ answers: SharedDescriptor,
        _ descriptors: [SharedDescriptor]
    ) {
        do throws(Errno) {
            switch packet.call {
            case .set: try set(packet.argument, answers)
            case .signals:
                Self.send(try listen(descriptors), to: answers)
            default: Self.send(try make(packet.call), to: answers)
            }
        } catch {
            Self.send(AnswerPacket(error), to: answers)
        }
    }

    private func make(_ call: HostCall) throws(Errno) -> AnswerPacket {
        switch call {
        case .get:
            guard case .known(let state) = try session.state() else { throw .protocolError }
            return AnswerPacket(first: UInt64(state.rawValue))
        case .dataSize: return AnswerPacket(first: try session.stopCopyByteCount())
        case .detach:
            try session.detach()
            return AnswerPacket()
        case .reset:
            try session.reset()
            return AnswerPacket()
        default: throw .notTypewriter
        }
    }

    private func set(_ number: UInt64, _ answers: SharedDescriptor) throws(Errno) {
        guard let number = UInt32(exactly: number), let target = DeviceState(rawValue: number)
        else { throw .invalid }
        guard let stream = try session.set(target) else {
            return Self.send(AnswerPacket(), to: answers)
        }
        // As with the kernel, too few descriptors are found out when the state has changed.
        let pair = try PacketSocket.pair(
            packetByteCount: AnswerPacket.headByteCount + HostLimit.transferByteCount
        )
        try pair.near.descriptor.setNonBlocking()
        serve(stream, pair.near)
        Self.send(AnswerPacket(first: 1), to: answers, [pair.far])
    }

    private func serve(_ stream: any MigrationStream, _ file: SharedDescriptor) {
        let served = ServedStream(
            stream,
            file,
            label: "ferry.host.\(session.device).stream",
            isAbandoned: { [weak self] in self?.closeIfAbandoned() ?? true }
        )
        let (old, isTaken) = state.withLock { state in
            defer { if !state.isClosed { state.stream = served } }
            return (state.stream, !state.isClosed)
        }
        old?.close()
        if isTaken { served.begin() }
    }

    /// Signals go to the two eventfds from now on.
    private func listen(_ events: [SharedDescriptor]) throws(Errno) -> AnswerPacket {
        guard events.count == 2 else { throw .invalid }
        // They are said to be eventfds; whatever they are, the host waits for none of them.
        for event in events { try event.descriptor.setNonBlocking() }
        session.onSignal { signal in
            let event = signal == .unplugRequested ? events[0] : events[1]
            let one = StreamFormat.bytes(1 as UInt64)
            _ = unsafe one.withUnsafeBytes { try? unsafe event.descriptor.write($0) }
        }
        return AnswerPacket()
    }

    /// An answer nobody waits for any more is dropped.
    private static func send(
        _ answer: AnswerPacket,
        to answers: SharedDescriptor,
        _ descriptors: [SharedDescriptor] = []
    ) {
        // Whatever socket the caller brought, the host does not wait for it.
        try? answers.descriptor.setNonBlocking()
        try? answers.descriptor.sendPacket(
            answer.bytes,
            descriptors: descriptors.map { $0.descriptor.raw }
        )
    }
}
