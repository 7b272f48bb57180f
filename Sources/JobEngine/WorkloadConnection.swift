internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// One program at the workload socket: one request at a time, and at most one device it is about
/// to collect.
final class WorkloadConnection: Sendable {
    /// A program that collects must confirm within this time.
    private static let confirmationSeconds = 30

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
            send(.refused(.badRequest("The packet or its list of descriptors is too long.")))
        } catch {
            close()
        }
    }

    private func work(on request: WorkloadRequest, _ packet: consuming ReceivedPacket) {
        let device = packet.takeDescriptor()
        let iommufd = packet.takeDescriptor()
        let handedIn = HandedIn(device, iommufd, isExact: packet.descriptorCount == 0)
        let source = state.withLock { $0.source }
        source?.suspend()
        do throws(Problem) {
            try engine.perform {
                self.answer(request, handedIn)
                source?.resume()
            }
        } catch {
            send(.refused(error))
            source?.resume()
        }
    }

    private func answer(_ request: WorkloadRequest, _ handedIn: HandedIn) {
        do throws(Problem) {
            switch request {
            case .adopt(let device, let pageTableID):
                let session = try engine.adopt(device, try handedIn.take(pageTableID))
                send(.done(session.id))
            case .collect(let id): try collect(id)
            case .confirm(let id): try confirm(id)
            case .putSidecar(let id, let sidecar):
                try engine.putSidecar(sidecar, of: id)
                send(.done(id))
            case .getSidecar(let id): send(.done(id, sidecar: try engine.sidecar(of: id)))
            }
        } catch {
            send(.refused(error))
        }
    }

    private func collect(_ id: SessionID) throws(Problem) {
        guard state.withLock({ $0.collection == nil }) else {
            throw Problem(.sessionBusy, "Confirm the collection before this one first.")
        }
        let collection = try engine.beginCollection(of: id)
        do throws(Problem) {
            let descriptors = try engine.descriptors(for: collection)
            guard keep(collection) else { return }
            send(
                .done(id, pageTableID: descriptors.pageTableID),
                [descriptors.device.raw, descriptors.iommufd.raw]
            )
        } catch {
            engine.abandon(collection)
            throw error
        }
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
        queue.asyncAfter(deadline: .now() + .seconds(Self.confirmationSeconds)) { [weak self] in
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
        send(.done(id))
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
        var device: FileDescriptor?
        var iommufd: FileDescriptor?
    }

    private let isExact: Bool
    /// Guards the descriptors' one owner.
    ///
    /// A leaf.
    private let pair: Mutex<Pair>

    init(
        _ device: consuming FileDescriptor?,
        _ iommufd: consuming FileDescriptor?,
        isExact: Bool
    ) {
        self.isExact = isExact
        self.pair = Mutex(Pair(device: device, iommufd: iommufd))
    }

    func take(_ pageTableID: UInt32?) throws(Problem) -> DeviceDescriptors {
        guard isExact,
            let descriptors = pair.withLock({ pair -> DeviceDescriptors? in
                guard let device = pair.device.take() else { return nil }
                guard let iommufd = pair.iommufd.take() else { return nil }
                return DeviceDescriptors(
                    device: device,
                    iommufd: iommufd,
                    pageTableID: pageTableID
                )
            })
        else {
            throw Problem(
                .badRequest,
                "Hand in exactly two descriptors: the device and its iommufd."
            )
        }
        return descriptors
    }
}
