internal import Dispatch
internal import Glibc
internal import Synchronization

/// A thread that lets clients in, cuts off the late ones, and sees out the refused ones.
///
/// It accepts connections and hands them to libmicrohttpd, instead of giving that the listening
/// socket: to take the socket back, `MHD_quiesce_daemon` races its own epoll threads, and aborts
/// the process when it loses. So the limit of connections is ours to keep, too.
final class Doorkeeper: Sendable {
    private let listener: ListeningSocket
    private let connections: ConnectionRegistry
    private let options: HTTPServer.Options
    private var limit: Int { options.connectionLimit }
    private let wakeup: Wakeup
    private let queue = DispatchQueue(label: "http-door")
    private let didShut = DispatchSemaphore(value: 0)
    private let didLeave = DispatchSemaphore(value: 0)
    /// How many connections were accepted and are not closed yet.
    private let admitted = Atomic(0)
    /// Whether everybody who could go is gone: those who were let in last are with libmicrohttpd,
    /// but not among the connections yet.
    private let lacksCandidates = Atomic(false)
    /// Guards what others want of the thread.
    ///
    /// A leaf of the lock order.
    private let orders = Mutex(Orders())

    private struct Orders {
        var isShut = false
        var isDone = false
        var hasCandidate = false
        var lingering: [Int32] = []
    }

    init(
        listener: ListeningSocket,
        connections: ConnectionRegistry,
        options: HTTPServer.Options
    ) throws(ListenFailure) {
        self.listener = listener
        self.connections = connections
        self.options = options
        do throws(Wakeup.Failure) {
            self.wakeup = try Wakeup()
        } catch {
            throw ListenFailure(listener.boundAddress, "eventfd", errno: error.errno)
        }
    }

    /// Starts the thread, which runs until ``leave()``.
    ///
    /// Who comes is given to the daemons in turn; they must outlive ``shut()``.
    func open(_ daemons: [HTTPDaemon]) { queue.async { self.run(daemons) } }

    /// Closes the listening socket; nobody comes in once this returns.
    func shut() {
        orders.withLock { $0.isShut = true }
        wakeup.signal()
        didShut.wait()
    }

    /// Ends the thread.
    func leave() {
        orders.withLock { $0.isDone = true }
        wakeup.signal()
        didLeave.wait()
    }

    /// A connection is among the others now.
    func didConnect() {
        guard lacksCandidates.load(ordering: .sequentiallyConsistent),
            lacksCandidates.exchange(false, ordering: .sequentiallyConsistent)
        else { return }
        orders.withLock { $0.hasCandidate = true }
        wakeup.signal()
    }

    func didDisconnect() {
        let before = admitted.subtract(1, ordering: .relaxed).oldValue
        if before >= limit { wakeup.signal() }
    }

    /// Reads a socket to its end before it is closed.
    ///
    /// Takes the descriptor over.
    func linger(_ descriptor: Int32) {
        orders.withLock { $0.lingering.append(descriptor) }
        wakeup.signal()
    }

    private func run(_ daemons: [HTTPDaemon]) {
        var farewells = Farewells()
        // Whose the next client is.
        var turn = 0
        // The system has nothing to let anybody in with.
        var isResting = false
        // When to look again for somebody who goes for somebody else.
        var nextEviction = MonotonicTime.now
        while true {
            let orders = orders.withLock { orders in
                defer {
                    orders.lingering = []
                    orders.hasCandidate = false
                }
                return orders
            }
            for descriptor in orders.lingering { farewells.add(descriptor) }
            if orders.isShut, listener.raw != nil {
                listener.close()
                didShut.signal()
            }
            if orders.isDone { break }
            let isFull = admitted.load(ordering: .relaxed) >= limit
            if !isFull || orders.hasCandidate { nextEviction = .now }
            let door = isResting || MonotonicTime.now < nextEviction ? nil : listener.raw
            var polled = farewells.descriptors.map(Self.toRead)
            polled.append(Self.toRead(wakeup.descriptor))
            polled.append(Self.toRead(connections.hangups.descriptor))
            if let door { polled.append(Self.toRead(door)) }
            unsafe poll(
                &polled,
                nfds_t(polled.count),
                timeout(hasTasks: isResting || farewells.isAny)
            )
            wakeup.drain()
            farewells.read()
            connections.cutOffLate()
            connections.releaseAbandoned()
            isResting = false
            guard door != nil, polled.last?.revents != 0 else { continue }
            if isFull {
                makeRoom()
                // Whoever had to go wakes this thread up when he is gone.
                nextEviction = .now + options.tick
            } else {
                isResting = !acceptAll(into: daemons, &turn)
            }
        }
        farewells.closeAll()
        didLeave.signal()
    }

    /// Until the next tick when there is anything to look after, for ever when there is not.
    private func timeout(hasTasks: Bool) -> Int32 {
        guard hasTasks || admitted.load(ordering: .relaxed) > 0 else { return -1 }
        return Int32(max(1, min(60_000, options.tick / .milliseconds(1))))
    }

    /// Lets in whoever waits; false when the system has nothing left to let them in with.
    private func acceptAll(into daemons: [HTTPDaemon], _ turn: inout Int) -> Bool {
        while admitted.load(ordering: .relaxed) < limit {
            switch listener.accept() {
            case .success(let descriptor):
                admitted.add(1, ordering: .relaxed)
                daemons[turn % daemons.count].add(descriptor)
                turn &+= 1
            case .failure(let error):
                switch error.number {
                case EAGAIN: return true
                // A client that is gone already.
                case EINTR, ECONNABORTED, EPROTO: continue
                // Nothing left to let anybody in with (EMFILE, ENOMEM): asking on would spin.
                default: return false
                }
            }
        }
        return true
    }

    /// Sends somebody away for whoever waits, or remembers that there is nobody.
    private func makeRoom() {
        // Before: who comes in between is not missed.
        lacksCandidates.store(true, ordering: .sequentiallyConsistent)
        if connections.makeRoom(idleBefore: .now + (options.idleTimeout - options.idleGrace)) {
            lacksCandidates.store(false, ordering: .sequentiallyConsistent)
        }
    }

    private static func toRead(_ descriptor: Int32) -> pollfd {
        pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    }
}
