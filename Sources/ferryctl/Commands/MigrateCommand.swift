internal import APIClient
internal import APISchema
internal import ArgumentParser

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Live-migrate a device's state into another device of the host."
    )

    @Argument(help: "The device the state comes from.")
    var source: String

    @Argument(help: "The device the state goes to.")
    var target: String

    @Option(
        help: ArgumentHelp(
            "Cap pre-copy: bytes a second, with KiB, MiB or GiB if you like.",
            valueName: "rate"
        )
    )
    var bandwidth: ByteQuantity?

    @Option(help: ArgumentHelp("The longest downtime to expect.", valueName: "milliseconds"))
    var downtime: Int64?

    @Flag(help: "Go on with pre-copy until 'ferryctl switchover'.")
    var manual = false

    @Flag(help: "Overwrite what the target holds.")
    var discardTargetContent = false

    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        let pair = JobRequestDeviceDTO(source: source, target: target)
        var request = JobRequestDTO(kind: "migrate", devices: [pair])
        if bandwidth != nil || downtime != nil {
            var limits = JobRequestLimitsDTO()
            limits.bandwidthBytesPerSecond = bandwidth?.byteCount
            limits.downtimeMs = downtime
            request.limits = limits
        }
        if manual { request.switchover = JobRequestSwitchoverDTO(mode: "manual") }
        request.discardTargetContent = discardTargetContent ? true : nil
        try job.submit(request, options)
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
