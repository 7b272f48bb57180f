extension Problem {
    /// `not-migratable`: a device that Ferry shows and does not use, and why.
    package static func listedOnly(_ device: DeviceID, _ reason: String) -> Problem {
        var facts = Facts(device: device)
        facts.reasons = [reason]
        return Problem(.notMigratable, "\(device) is listed only.", facts)
    }

    /// A device that must be idle for what is asked, and that other processes have open.
    package static func inUse(_ device: DeviceID, by holders: [Holder]) -> Problem {
        var problem = busy("\(device) is in use", by: holders)
        problem.facts.device = device
        return problem
    }

    /// `device-busy`: what is the matter, who has it open, and what to do about that.
    package static func busy(_ what: String, by holders: [Holder]) -> Problem {
        guard !holders.isEmpty else {
            return Problem(
                .deviceBusy,
                "\(what); no process that ferryd may look into has it open."
            )
        }
        let names = holders.map { "\(printable($0.command)) (process \($0.pid))" }
        var problem = Problem(
            .deviceBusy,
            "\(what), by \(names.joined(separator: ", ")). \(remedy(for: holders))"
        )
        problem.facts.holders = holders
        return problem
    }

    private static func remedy(for holders: [Holder]) -> String {
        holders.allSatisfy { $0.isDescriptorStore == true }
            ? "A service manager keeps it open for a unit: stop the unit and clean its descriptor "
                + "store (systemctl clean --what=fdstore)."
            : "Stop that program, or have it hand the device in over the workload socket."
    }

    /// A process may call itself anything.
    private static func printable(_ command: String) -> String {
        String(
            command.unicodeScalars.map { (0x20...0x7e).contains($0.value) ? Character($0) : "?" }
        )
    }
}
