import ArgumentParser
import Foundation

@main
struct FerryBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ferry-bench",
        abstract: "Holds ferryd's speed against its bars.",
        discussion: "Benchmarks: " + benchmarks.map(\.name).joined(separator: ", ") + "."
    )

    @Option(help: "The release build of ferryd.")
    var ferryd: String

    @Option(help: "Where state and images are put while it runs; memory is best.")
    var directory: String

    @Option(help: "Only these benchmarks, by name.")
    var only: [String] = []

    @Flag(help: "Fewer pairs and smaller states: at most 3 minutes.")
    var quick = false

    func run() throws {
        let known = Set(Self.benchmarks.map(\.name))
        for name in only where !known.contains(name) {
            throw ValidationError("There is no benchmark \(name).")
        }
        let bench = try Bench(
            ferryd: ferryd,
            directory: directory,
            effort: quick ? .quick : .full
        )
        defer { bench.clean() }
        Report.printHeader()
        var passed = 0
        var failed = 0
        for (name, measure) in Self.benchmarks where only.isEmpty || only.contains(name) {
            let figures: [Figure]
            do {
                figures = try measure(bench)
            } catch {
                figures = [.failed(name, "\(error)")]
            }
            for figure in figures {
                Report.print(figure)
                switch figure.verdict {
                case .ok: passed += 1
                case .short: failed += 1
                }
            }
        }
        print("\(passed) passed, \(failed) failed")
        if failed > 0 || passed == 0 { throw ExitCode(1) }
    }

    /// Every benchmark, in the order they run.
    static let benchmarks: [(name: String, measure: @Sendable (Bench) throws -> [Figure])] = [
        ("get-job", { try $0.getJob() }),
        ("get-device", { try $0.getDevice() }),
        ("crowd", { try $0.crowd() }),
        ("list", { try $0.listDevices() }),
        ("arc", { try $0.engineByArc() }),
        ("inventory", { try $0.inventory() }),
        ("idle-memory", { try $0.idleMemory() }),
        ("stream-memory", { try $0.streamMemory() }),
        ("set", { try $0.sets() }),
        ("save", { try $0.save() }),
        ("restore", { try $0.restore() }),
        ("migrate", { try $0.migrate() }),
        ("two-migrates", { try $0.twoMigrates() }),
    ]
}
