internal import APIClient
internal import APISchema
internal import ArgumentParser

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Live-migrate devices' state into other devices of the host.",
        usage: """
            ferryctl migrate SOURCE TARGET [options]
            ferryctl migrate SOURCE=TARGET SOURCE=TARGET … [options]
            """,
        discussion: """
            Several pairs move as one set: side by side, and with one commit.

              ferryctl migrate sim-0 sim-1 --downtime 50 --bandwidth 200MiB --wait
              ferryctl migrate sim-0=sim-2 sim-1=sim-3 --check
              ferryctl migrate sim-0 sim-1 --manual --id move
              ferryctl switchover move --wait
            """
    )

    @Argument(
        help: "A source and its target, or pairs of them.",
        completion: .custom(Suggestions.devices)
    )
    var devices: [String]

    @Flag(help: "Go on with pre-copy until 'ferryctl switchover'.")
    var manual = false

    @Flag(help: "Overwrite what the target holds.")
    var discardTargetContent = false

    @Flag(
        name: .customLong("no-p2p-mappings"),
        help: "No device of the set maps another's memory: move it without P2P states."
    )
    var noP2PMappings = false

    @OptionGroup var limits: PreCopyLimitOptions
    @OptionGroup var job: JobOptions
    @OptionGroup var options: ServerOptions

    func run() throws {
        var request = JobRequestDTO(kind: "migrate", devices: try DevicePair.all(in: devices))
        request.limits = limits.request
        request.noP2pMappings = noP2PMappings ? true : nil
        if manual { request.switchover = JobRequestSwitchoverDTO(mode: "manual") }
        request.discardTargetContent = discardTargetContent ? true : nil
        try job.submit(request, options)
    }
}
