package import MigrationCore

/// A failure a simulated device is told to show.
///
/// As text, `OPERATION:OUTCOME:N[+][@DEVICE]`: at the N-th time (from 1), or with `+` from then on
/// every time, in one device or in each of its specification.
///
/// OPERATION is `open`, `reset`, `detach`, `get`, `data_size`, `read`, `write`, `precopy_info`, or
/// `arc:FROM-TO` with the kernel's state names or `*`. OUTCOME is one of ``Outcome``.
///
///     arc:PRE_COPY_P2P-STOP_COPY:EIO:1
///     read:ERROR:3@sim-0
///     write:SHORT=512:1+
///     arc:*-RESUMING:HANG:1
package struct Fault: Hashable, Sendable {
    package let operation: Operation
    package let outcome: Outcome
    /// The first occurrence that fails, from 1.
    package let occurrence: UInt64
    /// Whether every later one fails too.
    package let isRepeated: Bool
    /// The only device that fails; nil for all.
    package let device: DeviceID?

    package init(
        _ operation: Operation,
        _ outcome: Outcome,
        occurrence: UInt64 = 1,
        isRepeated: Bool = false,
        device: DeviceID? = nil
    ) {
        self.operation = operation
        self.outcome = outcome
        self.occurrence = occurrence
        self.isRepeated = isRepeated
        self.device = device
    }

    /// What fails.
    package enum Operation: Hashable, Sendable {
        case open
        case reset
        case detach
        /// GET of the state.
        case get
        /// MIG_DATA_SIZE.
        case dataSize
        case read
        case write
        case preCopyInfo
        /// One step of the state machine; nil stands for any state.
        case arc(from: DeviceState?, to: DeviceState?)

        /// Whether something that happens is what this names.
        func matches(_ event: Operation) -> Bool {
            guard case .arc(let from, let to) = self, case .arc(let eventFrom, let eventTo) = event
            else { return self == event }
            return (from == nil || from == eventFrom) && (to == nil || to == eventTo)
        }
    }

    /// How it fails.
    package enum Outcome: Hashable, Sendable {
        /// `EIO`: the call fails with this and does nothing.
        case errno(Errno)
        /// `ERROR`: the device falls into ERROR, as pds does when its firmware resets.
        ///
        /// A step of the state machine, RESET and MIG_DATA_SIZE fail with EIO; reads, writes and
        /// PRECOPY_INFO find their stream dead; GET, open and detach succeed.
        case errorState
        /// `ASYNC_ERROR`: the call succeeds, and behind it the device falls into ERROR and signals
        /// that.
        case errorAfterwards
        /// `DELAY=5ms`: the call takes that much longer, and then goes on.
        case delay(Duration)
        /// `HANG`: the call does not return before the device is closed.
        case hang
        /// `SHORT=512`: a read or write moves at most that many bytes.
        ///
        /// `EOF` is a read that moves none, before there are no more.
        case short(byteCount: Int)
    }
}

/// What the faults of one call come to.
///
///     wait (delay, or for ever) ─▶ failure? ─▶ the call, with at most so many bytes ─▶ ERROR?
struct FaultedCall: Sendable {
    var delay: Duration = .zero
    var hangs = false
    var failure: Failure?
    var byteLimit: Int?
    var isFollowedByError = false

    enum Failure: Sendable {
        case errno(Errno)
        case errorState
    }

    /// Takes one more outcome in: delays add up, and the first failure counts.
    mutating func add(_ outcome: Fault.Outcome) {
        switch outcome {
        case .errno(let errno): failure = failure ?? .errno(errno)
        case .errorState: failure = failure ?? .errorState
        case .errorAfterwards: isFollowedByError = true
        case .delay(let duration): delay += duration
        case .hang: hangs = true
        case .short(let byteCount): byteLimit = min(byteLimit ?? byteCount, byteCount)
        }
    }

    /// Waits as long as the call takes before it does anything, and so much longer.
    ///
    /// Throws ENODEV when an interruption came first.
    func wait(
        _ latency: Duration = .zero,
        unless interruptions: [Interruption]
    ) throws(Errno) {
        let (seconds, attoseconds) = (latency + delay).components
        let nanoseconds = Int(seconds) * 1_000_000_000 + Int(attoseconds / 1_000_000_000)
        guard hangs || nanoseconds > 0 else { return }
        guard
            Interruption.wait(nanoseconds: hangs ? nil : nanoseconds, unless: interruptions)
        else { throw .noDevice }
    }
}

/// The faults of one device and how often each has been met.
struct FaultPlan: Sendable {
    /// More than a test can tell apart, and few enough to look through at every call.
    static let limit = 256

    private struct Entry {
        let fault: Fault
        var count: UInt64 = 0
        var onMeeting: (@Sendable () -> Void)?

        /// Whether the last event that was counted fails by it.
        var isMet: Bool { fault.isRepeated ? count >= fault.occurrence : count == fault.occurrence }
    }

    private var entries: [Entry] = []

    init(_ faults: [Fault]) { entries = faults.map { Entry(fault: $0) } }

    /// Adds a fault, which counts from now; false when there are too many.
    ///
    /// Those that are over make room.
    mutating func add(_ fault: Fault, _ onMeeting: (@Sendable () -> Void)? = nil) -> Bool {
        if entries.count >= Self.limit {
            entries.removeAll { !$0.fault.isRepeated && $0.count >= $0.fault.occurrence }
        }
        guard entries.count < Self.limit else { return false }
        entries.append(Entry(fault: fault, onMeeting: onMeeting))
        return true
    }

    /// Counts an event and says how it fails, if it does.
    mutating func meet(_ event: Fault.Operation) -> FaultedCall {
        var call = FaultedCall()
        for index in entries.indices where entries[index].fault.operation.matches(event) {
            entries[index].count += 1
            guard entries[index].isMet else { continue }
            call.add(entries[index].fault.outcome)
            entries[index].onMeeting?()
        }
        return call
    }
}
