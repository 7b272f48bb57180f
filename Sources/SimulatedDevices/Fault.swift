package import MigrationCore

/// A failure a simulated device is told to show.
///
/// As text, `OPERATION:OUTCOME:N[+][@DEVICE]`: at the N-th time (from 1), or with `+` from then on
/// every time, in one device or in each of its specification. OPERATION is `open`, `reset`,
/// `read`, `write`, `precopy_info`, or `arc:FROM-TO` with the kernel's state names or `*`.
/// OUTCOME is the name of an errno, or `ERROR`: the device falls into the state ERROR.
///
///     arc:PRE_COPY_P2P-STOP_COPY:EIO:1
///     read:ERROR:3@sim-0
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
        case errno(Errno)
        /// The device falls into ERROR, as pds does when its firmware resets. A step of the state
        /// machine fails with EIO; reads and writes find their stream dead.
        case errorState
    }
}

/// The faults of one device and how often each has been met.
struct FaultPlan: Sendable {
    private var entries: [(fault: Fault, count: UInt64)] = []

    init(_ faults: [Fault]) { entries = faults.map { ($0, 0) } }

    mutating func add(_ fault: Fault) { entries.append((fault, 0)) }

    /// Counts an event and says how it fails, if it does.
    mutating func outcome(of event: Fault.Operation) -> Fault.Outcome? {
        var outcome: Fault.Outcome?
        for index in entries.indices where entries[index].fault.operation.matches(event) {
            entries[index].count += 1
            let (fault, count) = entries[index]
            if count == fault.occurrence || fault.isRepeated && count > fault.occurrence {
                outcome = outcome ?? fault.outcome
            }
        }
        return outcome
    }
}
