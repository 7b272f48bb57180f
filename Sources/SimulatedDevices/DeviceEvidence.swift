internal import MigrationCore

/// Tells the evidence log what happens to one device.
///
/// A device may act from the *beginning* of a step into a state that acts to the *end* of the step
/// out of all of them, as a real one would that is asked and has not answered: so no interval in the
/// log is too short. Called with the device's own lock held, so that a caller hears of nothing
/// before the log has it.
struct DeviceEvidence: Sendable {
    private let log: EvidenceLog
    private let device: DeviceID
    private var isActing = false

    init(_ log: EvidenceLog, _ device: DeviceID) {
        self.log = log
        self.device = device
    }

    /// Why content is lost.
    enum Loss: String {
        case opened
        case reset
        case closed
    }

    mutating func opened(_ machine: inout SimulatedMachine, untouched: Bool, at now: UInt64) {
        write("opened", now, ["\"untouched\":\(untouched)"] + facts(&machine, now))
        settle(&machine, isOpen: true, at: now)
    }

    mutating func closed(_ machine: inout SimulatedMachine, at now: UInt64) {
        write("closed", now)
        settle(&machine, isOpen: false, at: now)
    }

    mutating func reset(_ machine: inout SimulatedMachine, at now: UInt64) {
        write("reset", now)
        settle(&machine, isOpen: true, at: now)
    }

    /// Before content is lost.
    mutating func willLose(_ machine: inout SimulatedMachine, _ why: Loss, at now: UInt64) {
        endActing(&machine, at: now)
        guard !machine.content.isEmpty else { return }
        write("lost", now, ["\"why\":\"\(why.rawValue)\""] + facts(&machine, now))
    }

    mutating func began(_ arc: StateArc, _ machine: inout SimulatedMachine, at now: UInt64) {
        write("arc_begun", now, ends(arc))
        if arc.to.canAct { beginActing(&machine, at: now) }
    }

    mutating func ended(
        _ arc: StateArc,
        _ failure: Errno?,
        _ machine: inout SimulatedMachine,
        at now: UInt64
    ) {
        if let failure {
            write("arc_failed", now, ends(arc) + ["\"errno\":\"\(failure.name)\"", state(machine)])
        } else {
            write("arc_done", now, ends(arc))
            if arc.from == .resuming { write("loaded", now, facts(&machine, now)) }
        }
        settle(&machine, isOpen: true, at: now)
    }

    /// The device fell into ERROR.
    mutating func failed(_ machine: inout SimulatedMachine, at now: UInt64) {
        write("error", now)
        settle(&machine, isOpen: true, at: now)
    }

    /// Brings what the log says of acting to what the device does.
    private mutating func settle(
        _ machine: inout SimulatedMachine,
        isOpen: Bool,
        at now: UInt64
    ) {
        if isOpen, machine.state.canAct {
            beginActing(&machine, at: now)
        } else {
            endActing(&machine, at: now)
        }
    }

    private mutating func beginActing(_ machine: inout SimulatedMachine, at now: UInt64) {
        guard !isActing else { return }
        isActing = true
        write("acts", now, facts(&machine, now))
    }

    private mutating func endActing(_ machine: inout SimulatedMachine, at now: UInt64) {
        guard isActing else { return }
        isActing = false
        write("stops", now, facts(&machine, now))
    }

    private func facts(_ machine: inout SimulatedMachine, _ now: UInt64) -> [String] {
        [
            state(machine), "\"digest\":\"\(machine.digest(at: now))\"",
            "\"empty\":\(machine.content.isEmpty)",
        ]
    }

    private func state(_ machine: SimulatedMachine) -> String {
        "\"state\":\"\(machine.state.kernelName)\""
    }

    private func ends(_ arc: StateArc) -> [String] {
        ["\"from\":\"\(arc.from.kernelName)\"", "\"to\":\"\(arc.to.kernelName)\""]
    }

    // Identifiers, names of states and errnos, and digests: nothing in them needs an escape.
    private func write(_ event: String, _ now: UInt64, _ rest: [String] = []) {
        let fields =
            ["\"at\":\(now)", "\"device\":\"\(device.text)\"", "\"event\":\"\(event)\""] + rest
        log.append("{" + fields.joined(separator: ",") + "}")
    }
}
