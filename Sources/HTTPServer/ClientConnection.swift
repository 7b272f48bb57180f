internal import Glibc
internal import ManagementAPI
internal import Synchronization

/// One connection of a client, while libmicrohttpd has it open.
final class ClientConnection: Sendable {
    let caller: Caller
    /// Ours alone among all connections there ever were, and greater than those before.
    let number: UInt64
    /// Of the thread that runs the connection.
    let wakeup: Wakeup
    private let hangups: HangupWatch
    private let isWatched = Atomic(false)
    private let isHungUp = Atomic(false)
    /// Whether a whole head has come, ever.
    private let isProven = Atomic(false)
    /// Valid until the registry forgets this connection, which happens before it is closed.
    private let descriptor: Int32
    /// When the client must have got further, in nanoseconds; `max` while it waits for us.
    ///
    /// libmicrohttpd's own timeout counts from the last byte, so a byte now and then would keep
    /// a connection for ever.
    private let deadline: Atomic<UInt64>
    /// Guards the request under way.
    ///
    /// Taken alone.
    private let exchange = Mutex<Exchange?>(nil)
    /// Guards the head of the last request.
    ///
    /// Taken alone, by the connection's thread only.
    private let known = Mutex<KnownHead?>(nil)

    /// A connection whose first request must be there in time.
    init(
        descriptor: Int32,
        number: UInt64,
        wakeup: Wakeup,
        hangups: HangupWatch,
        headTimeout: Duration
    ) {
        self.wakeup = wakeup
        self.descriptor = descriptor
        self.number = number
        self.hangups = hangups
        self.caller = Self.caller(of: descriptor)
        self.deadline = Atomic((MonotonicTime.now + headTimeout).nanoseconds)
    }

    /// The request under way.
    var current: Exchange? {
        get { exchange.withLock { $0 } }
        set { exchange.withLock { $0 = newValue } }
    }

    /// The head of the last request that was let through, if it is worth knowing again.
    var knownHead: KnownHead? {
        get { known.withLock { $0 } }
        set { known.withLock { $0 = newValue } }
    }

    /// A target as bytes of our own: those of the last request when they are the same.
    func target(_ bytes: UnsafeRawBufferPointer) -> [UInt8] {
        let known = knownHead?.target
        if let known, unsafe known.elementsEqual(bytes) { return known }
        return unsafe Array(bytes)
    }

    /// Gives the client this long for its next step.
    func expectProgress(within timeout: Duration) {
        deadline.store((MonotonicTime.now + timeout).nanoseconds, ordering: .relaxed)
    }

    /// The client waits for us now.
    func expectNothing() { deadline.store(.max, ordering: .relaxed) }

    /// A whole head has come; true when it is the first.
    ///
    /// Called by the connection's thread only.
    func prove() -> Bool {
        guard !isProven.load(ordering: .relaxed) else { return false }
        isProven.store(true, ordering: .relaxed)
        return true
    }

    /// When the client's time between two requests ends; nil when it is not between two requests.
    var idleDeadline: UInt64? {
        guard isProven.load(ordering: .relaxed), current == nil else { return nil }
        return deadline.load(ordering: .relaxed)
    }

    /// Ends the connection when its time is over.
    ///
    /// Called by the registry only, under its lock.
    func cutOff(at now: MonotonicTime) {
        if deadline.load(ordering: .relaxed) <= now.nanoseconds { cutOff() }
    }

    /// Ends the connection: libmicrohttpd finds it closed.
    ///
    /// Called by the registry only, under its lock.
    func cutOff() {
        expectNothing()
        Glibc.shutdown(descriptor, Int32(SHUT_RDWR))
    }

    /// Ends the connection when more of a body is there, or nothing will be, and nobody reads it.
    ///
    /// Called by the registry only, under its lock, on the connection's thread.
    func cutOffIfStuck(saying answer: (Exchange) -> [UInt8]) {
        guard let exchange = current, exchange.isReadingBody, hasUnreadBytes || hasHungUp else {
            return
        }
        exchange.willLeaveBodyUnread()
        send(answer(exchange))
        cutOff()
    }

    /// Has the client's hanging up noticed from now on.
    ///
    /// libmicrohttpd does not look at a connection that is suspended, so a client that asks for
    /// a long wait and goes away would hold its place to the end. Called by the connection's
    /// thread only.
    func watch() {
        guard !isWatched.load(ordering: .relaxed) else { return }
        isWatched.store(true, ordering: .relaxed)
        hangups.watch(descriptor, number)
    }

    /// Forgets the socket, which may live on under another descriptor.
    func unwatch() {
        if isWatched.load(ordering: .relaxed) { hangups.forget(descriptor) }
    }

    /// Whether the client has closed its side, as far as it is watched.
    var hasHungUp: Bool { isHungUp.load(ordering: .sequentiallyConsistent) }

    /// Lets go of the request under way, if it waits for us, and has libmicrohttpd look otherwise.
    ///
    /// libmicrohttpd 0.9.75 misses the end of a stream that comes with the last bytes before it.
    /// To end the reading here, too, takes nothing from what is there, but has the system tell it
    /// once more. Called by the registry only, under its lock.
    func didHangUp() {
        isHungUp.store(true, ordering: .sequentiallyConsistent)
        Glibc.shutdown(descriptor, Int32(SHUT_RD))
        current?.release()
    }

    /// Whether the client has sent something nobody has read.
    ///
    /// Called by the connection's thread only.
    var hasUnreadBytes: Bool {
        var byte: UInt8 = 0
        let flags = Int32(MSG_PEEK) | Int32(MSG_DONTWAIT)
        return unsafe recv(descriptor, &byte, 1, flags) > 0
    }

    /// A second descriptor of the socket, to read from after libmicrohttpd has closed its own.
    func duplicate() -> Int32? {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        return copy >= 0 ? copy : nil
    }

    /// Sends bytes around libmicrohttpd, as many as the socket takes at once.
    func send(_ bytes: [UInt8]) {
        let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
        _ = unsafe bytes.withUnsafeBytes {
            unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, flags)
        }
    }

    private static func caller(of descriptor: Int32) -> Caller {
        var domain: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        // First: on a TCP socket SO_PEERCRED succeeds, with a uid of all ones.
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0,
            domain == AF_UNIX
        else { return .anonymousLoopback }
        var credentials = PeerCredentials()
        length = socklen_t(MemoryLayout<PeerCredentials>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0
        else { return .anonymousLoopback }
        return .local(uid: credentials.uid, pid: credentials.pid)
    }

    /// `struct ucred`, which the C library shows to `_GNU_SOURCE` only.
    private struct PeerCredentials {
        var pid: UInt32 = 0
        var uid: UInt32 = 0
        var gid: UInt32 = 0
    }
}
