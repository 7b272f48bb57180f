/// How long one SET of a driver takes, as earlier jobs measured it.
package struct SetDuration: Hashable, Sendable, Codable {
    package let driver: String
    package let arc: Problem.ArcNames
    package let nanoseconds: UInt64

    package init(driver: String, arc: Problem.ArcNames, nanoseconds: UInt64) {
        self.driver = driver
        self.arc = arc
        self.nanoseconds = nanoseconds
    }
}

/// What was learned of how long SETs take: by driver and arc.
package struct SetDurations: Hashable, Sendable {
    private struct Key: Hashable {
        let driver: String
        let arc: Problem.ArcNames
    }

    private var learned: [Key: UInt64] = [:]

    package init(_ durations: some Sequence<SetDuration> = []) {
        for duration in durations {
            learned[Key(driver: duration.driver, arc: duration.arc)] = duration.nanoseconds
        }
    }

    /// Learns from a SET that worked; what is expected now, to be kept.
    ///
    /// It rises at once and falls by an eighth of the difference: a downtime that was expected too
    /// long costs a round of pre-copy, one expected too short costs the guest.
    package mutating func learn(
        _ driver: String,
        _ arc: Problem.ArcNames,
        nanoseconds: UInt64
    ) -> SetDuration {
        let key = Key(driver: driver, arc: arc)
        let known = learned[key] ?? 0
        let expected = nanoseconds >= known ? nanoseconds : known - (known - nanoseconds) / 8
        learned[key] = expected
        return SetDuration(driver: driver, arc: arc, nanoseconds: expected)
    }

    /// What a SET is expected to take; nil when the driver was never seen to make it.
    package func expected(_ driver: String, _ arc: Problem.ArcNames) -> UInt64? {
        learned[Key(driver: driver, arc: arc)]
    }

    /// What the SETs of a plan's downtime take with these devices: step by step, each as long as its
    /// slowest device.
    ///
    /// Nil when nothing is known of any of them.
    package func downtime(
        of plan: TransferPlan,
        sources: [(driver: String, flags: MigrationFlags)],
        targets: [(driver: String, flags: MigrationFlags)]
    ) -> UInt64? {
        var total: UInt64?
        for (side, arc) in plan.downtimeSets {
            let devices = side == .source ? sources : targets
            let slowest = devices.compactMap { device -> UInt64? in
                let from = arc.from.map { $0.effective(with: device.flags) ?? .running }
                guard let to = arc.to.effective(with: device.flags) else { return nil }
                return expected(device.driver, Problem.ArcNames(from: from, to: to))
            }.max()
            if let slowest { total = (total ?? 0).addingClamped(slowest) }
        }
        return total
    }
}
