internal import APISchema
internal import ArgumentParser

/// The limits of a job with a pre-copy.
struct PreCopyLimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Cap pre-copy: bytes a second, with KiB, MiB or GiB if you like.",
            valueName: "rate"
        )
    )
    var bandwidth: ByteQuantity?

    @Option(help: ArgumentHelp("The longest downtime to expect.", valueName: "milliseconds"))
    var downtime: Int64?

    @Option(
        help: ArgumentHelp(
            "How long pre-copy may come no nearer to its end.",
            valueName: "seconds"
        )
    )
    var progressTimeout: Int64?

    @Option(
        help: ArgumentHelp(
            "What passing a limit in time does: cancel, switch or continue.",
            valueName: "what"
        )
    )
    var onTimeout: OnTimeout?

    enum OnTimeout: String, ExpressibleByArgument {
        case cancel
        case switchOver = "switch"
        case goOn = "continue"
    }

    /// Nil when none was given.
    var request: JobRequestLimitsDTO? {
        guard bandwidth != nil || downtime != nil || progressTimeout != nil || onTimeout != nil
        else { return nil }
        var limits = JobRequestLimitsDTO()
        limits.bandwidthBytesPerSecond = bandwidth?.byteCount
        limits.downtimeMs = downtime
        limits.progressTimeoutS = progressTimeout
        limits.onTimeout = onTimeout?.rawValue
        return limits
    }
}

/// A count of bytes as a person writes it: `1048576`, `100MiB`.
struct ByteQuantity: ExpressibleByArgument {
    let byteCount: Int64

    init?(argument: String) {
        let units: [(name: String, factor: Int64)] = [
            ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30),
        ]
        let unit = units.first { argument.hasSuffix($0.name) }
        guard let number = Int64(argument.dropLast(unit?.name.count ?? 0)), number > 0 else {
            return nil
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: unit?.factor ?? 1)
        guard !overflow else { return nil }
        byteCount = product
    }
}
