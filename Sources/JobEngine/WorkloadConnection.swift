internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// One program at the workload socket: one request at a time, and at most one device it is about
/// to collect.
final class WorkloadConnection: Sendable {
    private struct State {
        var source: ReadSource?
        var collection: Collection?
        /// Counts collections, so that an old deadline ends no new one.
        var collectionNumber = 0
        var isClosed = false
    }

    private let socket: SharedDescriptor
    private let engine: Engine
    private let queue: DispatchQueue
    private let onClose: @Sendable (ObjectIdentifier) -> Void
    /// Guards the collection and the source.
    ///
    /// A leaf.
    private let state = Mutex(State())

    init(
        _ socket: SharedDescriptor,
        engine: Engine,
        queue: DispatchQueue,
        onClose: @escaping @Sendable (ObjectIdentifier) -> Void
    ) {
        self.socket = socket
        self.engine = engine
        self.queue = queue
        self.onClose = onClose
    }

    func begin() {
        let source = ReadSource(socket, on: queue) { [weak self] in self?.receive() }
        state.withLock { $0.source = source }
        source.resume()
    }

    func close() {
        let (source, collection): (ReadSource?, Collection?) = state.withLock {
            state in
            defer {
                state.source = nil
                state.collection = nil
                state.isClosed = true
            }
            return (state.source, state.collection)
        }
        source?.cancel()
        if let collection { engine.abandon(collection) }
        onClose(ObjectIdentifier(self))
    }

    /// Takes one packet and works on it with the source at rest, so that requests come in order.
    private func receive() {
        let buffer = IOBuffer(byteCount: WorkloadRequest.byteCountLimit)
        do throws(Errno) {
            let packet = try unsafe socket.descriptor.receivePacket(into: buffer.bytes)
            guard packet.byteCount > 0 else { return close() }
            let byteCount = packet.byteCount
            do throws(WorkloadRefusal) {
                let request = try unsafe WorkloadRequest(buffer.prefix(byteCount))
                work(on: request, packet)
            } catch {
                send(.refused(error))
            }
        } catch .again {
            return
        } catch .messageTooLong {
            // The packet is gone, its descriptors are closed, and the next one can be read.
            send(
                .refused(.badRequest(.first, "The packet or its list of descriptors is too long."))
            )
        } catch {
            close()
        }
    }

    private func work(on request: WorkloadRequest, _ packet: consuming ReceivedPacket) {
        let first = packet.takeDescriptor()
        let second = packet.takeDescriptor()
        let handedIn = HandedIn(first, second, isExact: packet.descriptorCount == 0)
        let source = state.withLock { $0.source }
        source?.suspend()
        do throws(Problem) {
            try engine.perform {
                self.answer(request, handedIn)
                source?.resume()
            }
        } catch {
            send(.refused(error, request.version))
            source?.resume()
        }
    }

    private func answer(_ request: WorkloadRequest, _ handedIn: HandedIn) {
        let version = request.version
        do throws(Problem) {
            switch request.call {
            case .adopt(let device, let path):
                let session = try engine.adopt(device, try handedIn.take(path))
                send(.done(session.id, version))
            case .collect(let id): try collect(id, version)
            case .confirm(let id):
                try confirm(id)
                send(.done(id, version))
            case .putSidecar(let id, let sidecar):
                try engine.putSidecar(sidecar, of: id)
                send(.done(id, version))
            case .getSidecar(let id):
                send(.done(id, version, sidecar: try engine.sidecar(of: id)))
            }
        } catch {
            send(.refused(error, version))
        }
    }

    private func collect(_ id: SessionID, _ version: WorkloadVersion) throws(Problem) {
        guard state.withLock({ $0.collection == nil }) else {
            throw Problem(.sessionBusy, "Confirm the collection before this one first.")
        }
        let collection = try engine.beginCollection(of: id)
        do throws(Problem) {
            let descriptors = try engine.descriptors(for: collection)
            if descriptors.path == .group, version == .first { throw Self.needsGroups(id) }
            guard keep(collection) else { return }
            send(
                .collected(id, descriptors.path, version),
                [descriptors.first.raw, descriptors.second.raw]
            )
        } catch {
            engine.abandon(collection)
            throw error
        }
    }

    private static func needsGroups(_ id: SessionID) -> Problem {
        var facts = Problem.Facts()
        facts.session = id
        return Problem(
            .incompatible,
            "The device of \(id) was opened by its group: collect it by version 2 of the protocol.",
            facts
        )
    }

    /// Waits a bounded time for the program's word on what it collects.
    ///
    /// False when the program hung up meanwhile: the collection is undone then.
    @discardableResult
    private func keep(_ collection: Collection) -> Bool {
        let number: Int? = state.withLock { state in
            guard !state.isClosed else { return nil }
            state.collection = collection
            state.collectionNumber += 1
            return state.collectionNumber
        }
        guard let number else {
            engine.abandon(collection)
            return false
        }
        queue.asyncAfter(deadline: .now() + .seconds(engine.configuration.confirmationSeconds)) {
            [weak self] in
            self?.expire(number)
        }
        return true
    }

    private func confirm(_ id: SessionID) throws(Problem) {
        let collection: Collection? = state.withLock { state in
            guard state.collection?.session.record.id == id else { return nil }
            defer { state.collection = nil }
            return state.collection
        }
        guard let collection else {
            var facts = Problem.Facts()
            facts.session = id
            throw Problem(.noSession, "Session \(id) was not collected here before.", facts)
        }
        do throws(Problem) {
            try engine.confirm(collection)
        } catch {
            // Nothing has changed: the program may confirm again, or hang up.
            keep(collection)
            throw error
        }
    }

    private func expire(_ number: Int) {
        let isPending = state.withLock { $0.collection != nil && $0.collectionNumber == number }
        if isPending { close() }
    }

    private func send(_ reply: WorkloadReply, _ descriptors: [Int32] = []) {
        do throws(Errno) {
            try unsafe reply.withBytes { bytes throws(Errno) in
                try unsafe socket.descriptor.sendPacket(bytes, descriptors: descriptors)
            }
        } catch {
            // A program that does not read its answers has only itself to wait for.
            close()
        }
    }
}

/// The descriptors that came with a request, until they are taken or dropped.
private final class HandedIn: Sendable {
    private struct Pair: ~Copyable {
        var first: FileDescriptor?
        var second: FileDescriptor?
    }

    private let isExact: Bool
    /// Guards the descriptors' one owner.
    ///
    /// A leaf.
    private let pair: Mutex<Pair>

    init(
        _ first: consuming FileDescriptor?,
        _ second: consuming FileDescriptor?,
        isExact: Bool
    ) {
        self.isExact = isExact
        self.pair = Mutex(Pair(first: first, second: second))
    }

    func take(_ path: DeviceDescriptors.Path) throws(Problem) -> DeviceDescriptors {
        guard isExact,
            let descriptors = pair.withLock({ pair -> DeviceDescriptors? in
                guard let first = pair.first.take() else { return nil }
                guard let second = pair.second.take() else { return nil }
                return DeviceDescriptors(path, first, second)
            })
        else {
            throw Problem(
                .badRequest,
                "Hand in exactly two descriptors: the device and its iommufd, or its group and "
                    + "the container."
            )
        }
        return descriptors
    }
}
