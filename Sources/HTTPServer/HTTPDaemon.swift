internal import CMicrohttpd
internal import Dispatch
internal import Glibc
internal import Synchronization

/// A daemon of libmicrohttpd and the thread that runs it, until it is stopped.
///
/// libmicrohttpd could have threads of its own. But when exactly as many sockets are ready as it
/// asks the system for at a time (128), it asks again before it looks at those, and then waits for
/// another that may never come. Whoever runs it himself never has it wait.
final class HTTPDaemon: Sendable {
    private let daemon: RunningDaemon
    private let service: RequestService
    private let wakeup: Wakeup
    private let queue: DispatchQueue
    private let didStop = DispatchSemaphore(value: 0)
    /// Guards what others want of the thread.
    ///
    /// A leaf of the lock order.
    private let orders = Mutex(Orders())

    private struct Orders {
        var isDone = false
        var newcomers: [Int32] = []
    }

    /// Throws when the system has no memory or descriptors for it.
    init(
        _ service: RequestService,
        number: Int,
        at address: ListenAddress
    ) throws(ListenFailure) {
        let wakeup: Wakeup
        do throws(Wakeup.Failure) {
            wakeup = try Wakeup()
        } catch {
            throw ListenFailure(address, "eventfd", errno: error.errno)
        }
        // libmicrohttpd does not say why it cannot start: what it leaves in errno is a hint.
        Glibc.errno = 0
        guard let daemon = RunningDaemon(DaemonContext(service, wakeup)) else {
            let number = Glibc.errno
            guard number != 0 else { throw ListenFailure("\(address): MHD_start_daemon failed") }
            throw ListenFailure(address, "MHD_start_daemon", errno: number)
        }
        self.daemon = daemon
        self.service = service
        self.wakeup = wakeup
        self.queue = DispatchQueue(label: "http-\(number)")
        queue.async { self.run() }
    }

    /// Gives a connection to libmicrohttpd, which closes it in any case.
    func add(_ descriptor: Int32) {
        orders.withLock { $0.newcomers.append(descriptor) }
        wakeup.signal()
    }

    /// Closes every connection and ends the thread.
    ///
    /// None may be suspended: libmicrohttpd would abort the process.
    func stop() {
        orders.withLock { $0.isDone = true }
        wakeup.signal()
        didStop.wait()
    }

    private func run() {
        var polled = [daemon.events, wakeup.descriptor].map {
            pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
        }
        var futile = FutileRuns()
        while true {
            let orders = orders.withLock { orders in
                defer { orders.newcomers = [] }
                return orders
            }
            for descriptor in orders.newcomers where !daemon.add(descriptor) {
                service.door.didDisconnect()
            }
            if orders.isDone { break }
            let callCount = wakeup.callCount
            daemon.run()
            let advice = futile.advice(
                patience: daemon.patience,
                didCall: wakeup.callCount != callCount
            )
            if advice.isStuck { service.cutOffStuck(of: wakeup) }
            unsafe poll(&polled, 2, advice.patience)
            if polled[1].revents != 0 { wakeup.drain() }
        }
        daemon.stop()
        didStop.signal()
    }
}

/// What the callbacks of a daemon know.
final class DaemonContext: Sendable {
    let service: RequestService
    let wakeup: Wakeup

    init(_ service: RequestService, _ wakeup: Wakeup) {
        self.service = service
        self.wakeup = wakeup
    }
}

/// A daemon of libmicrohttpd that keeps its context alive until it is stopped.
///
/// Sendable: it is made by one thread and used by another, and each of them alone.
@safe private struct RunningDaemon: @unchecked Sendable {
    private let raw: OpaquePointer
    private let context: Unmanaged<DaemonContext>
    /// Readable when there is something to do.
    let events: Int32

    init?(_ context: DaemonContext) {
        let retained = unsafe Unmanaged.passRetained(context)
        let options = context.service.options
        var daemon = unsafe ferry_http_daemon(
            // Ours is kept at the door; this one must never bite.
            connection_limit: UInt32(options.connectionLimit + 1),
            connection_memory: options.connectionMemoryByteCount,
            connection_changed: connectionChanged,
            target_read: targetRead,
            request_progressed: requestProgressed,
            request_ended: requestEnded,
            context: retained.toOpaque()
        )
        guard let raw = unsafe ferry_http_start(&daemon) else {
            unsafe retained.release()
            return nil
        }
        unsafe self.raw = raw
        unsafe self.context = retained
        self.events = unsafe ferry_http_events(raw)
    }

    /// Milliseconds until there is something to do, unless ``events`` says so before; -1 for ever.
    var patience: Int32 { unsafe ferry_http_patience(raw) }

    /// Does what there is to do; never waits.
    func run() { unsafe MHD_run(raw) }

    func add(_ descriptor: Int32) -> Bool {
        var address = sockaddr()
        // Its only use is a limit by address, which is not set.
        let length = socklen_t(MemoryLayout<sockaddr>.size)
        return unsafe MHD_add_connection(raw, descriptor, &address, length) == .YES
    }

    func stop() {
        unsafe MHD_stop_daemon(raw)
        unsafe context.release()
    }
}
