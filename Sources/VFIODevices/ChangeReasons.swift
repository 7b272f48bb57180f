internal import MigrationCore

/// What speaks against a change of a device: what bars it, and what only makes it dangerous.
struct ChangeReasons: Equatable {
    /// Nothing overrides these.
    private(set) var bars: [String] = []
    /// Whoever asks may accept these.
    private(set) var dangers: [String] = []

    mutating func bar(_ reason: String) { bars.append(reason) }
    mutating func warn(_ reasons: [String]) { dangers += reasons }

    /// The `change-refused` of what can never be done to a device.
    static func barred(_ device: DeviceID, _ reasons: [String]) -> Problem {
        var facts = Problem.Facts(device: device)
        facts.reasons = reasons
        return Problem(
            .changeRefused,
            "\(device) cannot be changed as things are; force does not help.",
            facts
        )
    }

    /// Throws `change-refused` or `force-required`, with every reason there is.
    func check(_ device: DeviceID, isForced: Bool) throws(Problem) {
        guard bars.isEmpty else { throw Self.barred(device, bars + dangers) }
        var facts = Problem.Facts(device: device)
        guard isForced || dangers.isEmpty else {
            facts.reasons = dangers
            throw Problem(
                .forceRequired,
                "Changing \(device) takes something from the host; say force when it may.",
                facts
            )
        }
    }
}
