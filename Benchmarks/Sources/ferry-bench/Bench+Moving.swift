import Foundation

/// Whole transfers, against a pump in C that does the same work (`c-pump` says how it is the same).
extension Bench {
    private static let seed = 7

    func save() throws -> [Figure] {
        let daemon = try Daemon(self, ["mlx5:state=\(effort.stateBytes),seed=\(Self.seed)"])
        var times = ProcessorTimes()
        let pairs = try Pairs(
            effort.transferPairs,
            ferry: {
                try times.didBeginFerry(daemon)
                defer { times.didEndFerry(daemon) }
                var job: Job?
                let seconds = try measuring {
                    job = try daemon.run(#"{"kind":"save","devices":[{"source":"sim-0"}]}"#)
                }
                guard let image = job?.image else { throw BenchFailure("a save without image") }
                _ = try daemon.client.ask("DELETE", "/v1/images/\(image)")
                return seconds
            },
            reference: {
                let image = try scratch("image")
                defer { try? FileManager.default.removeItem(atPath: image) }
                return try measuring { try pump("save", image) }
            },
            ratio: { $1 / $0 }
        )
        return [figure("save", pairs, times)]
    }

    func restore() throws -> [Figure] {
        let daemon = try Daemon(self, ["mlx5:count=2,state=\(effort.stateBytes),seed=\(Self.seed)"])
        let saved = try daemon.run(#"{"kind":"save","devices":[{"source":"sim-0"}]}"#)
        guard let image = saved.image else { throw BenchFailure("a save without image") }
        let ours = try scratch("image")
        try pump("save", ours)
        let request =
            #"{"kind":"restore","image":"\#(image)","devices":[{"target":"sim-1"}],"#
            + #""accept_copy":true,"discard_target_content":true}"#
        var times = ProcessorTimes()
        let pairs = try Pairs(
            effort.transferPairs,
            ferry: {
                try times.didBeginFerry(daemon)
                defer { times.didEndFerry(daemon) }
                return try measuring { _ = try daemon.run(request) }
            },
            reference: { try measuring { try pump("restore", ours) } },
            ratio: { $1 / $0 }
        )
        try? FileManager.default.removeItem(atPath: ours)
        return [figure("restore", pairs, times)]
    }

    func migrate() throws -> [Figure] {
        let daemon = try Daemon(self, ["mlx5:count=2,state=\(effort.stateBytes),seed=\(Self.seed)"])
        var shuttle = Shuttle(source: 0, target: 1)
        var times = ProcessorTimes()
        let pairs = try Pairs(
            effort.transferPairs,
            ferry: {
                try times.didBeginFerry(daemon)
                defer { times.didEndFerry(daemon) }
                let seconds = try measuring {
                    _ = try daemon.migrate([(shuttle.source, shuttle.target)])
                }
                try shuttle.turn(daemon)
                return seconds
            },
            reference: { try measuring { try pump("migrate") } },
            ratio: { $1 / $0 }
        )
        return [figure("migrate", pairs, times)]
    }

    /// Two jobs of a device each, side by side, against two pumps side by side.
    func twoMigrates() throws -> [Figure] {
        let daemon = try Daemon(self, ["mlx5:count=4,state=\(effort.stateBytes),seed=\(Self.seed)"])
        var shuttles = [Shuttle(source: 0, target: 1), Shuttle(source: 2, target: 3)]
        var times = ProcessorTimes()
        let pairs = try Pairs(
            effort.transferPairs,
            ferry: {
                try times.didBeginFerry(daemon)
                defer { times.didEndFerry(daemon) }
                let seconds = try measuring {
                    let jobs = try shuttles.map {
                        try daemon.begin(Daemon.migration([($0.source, $0.target)]))
                    }
                    for job in jobs { _ = try daemon.end(of: job.id) }
                }
                for index in shuttles.indices { try shuttles[index].turn(daemon) }
                return seconds
            },
            reference: {
                try measuring {
                    let pumps = try (0..<2).map { _ in try startPump("migrate") }
                    for pump in pumps { try pump.wait() }
                }
            },
            ratio: { $1 / $0 }
        )
        return [figure("two-migrates", pairs, times)]
    }

    /// A device's content that goes to and fro.
    private struct Shuttle {
        var source: Int
        var target: Int

        /// A migrate has closed the source's session; the way back needs one.
        mutating func turn(_ daemon: Daemon) throws {
            try daemon.openSession(source)
            swap(&source, &target)
        }
    }

    private func startPump(_ kind: String, _ image: String? = nil) throws -> ChildProcess {
        try ChildProcess(
            tool("c-pump"),
            [kind, "\(effort.stateBytes)", "\(Self.seed)"] + (image.map { [$0] } ?? [])
        )
    }

    private func pump(_ kind: String, _ image: String? = nil) throws {
        try startPump(kind, image).wait()
    }

    /// Processor time of all runs: on a busy machine it says more than the clock.
    private struct ProcessorTimes {
        private var ferry = 0.0
        private var begun = 0.0
        private let childrenBefore = processorSecondsOfChildren()

        mutating func didBeginFerry(_ daemon: Daemon) throws {
            begun = try daemon.process.processorSeconds()
        }

        mutating func didEndFerry(_ daemon: Daemon) {
            ferry += ((try? daemon.process.processorSeconds()) ?? .nan) - begun
        }

        /// The pumps' to Ferry's; only pumps end while a transfer is measured.
        var ratio: Double { (processorSecondsOfChildren() - childrenBefore) / ferry }
    }

    private func figure(_ name: String, _ pairs: Pairs, _ times: ProcessorTimes) -> Figure {
        let megabytes = effort.stateBytes >> 20
        return Figure(
            name: name,
            value: pairs.ratios.median,
            unit: "x",
            bar: .atLeast(0.9),
            note: "of the C pump's speed, \(megabytes) MiB: Ferry \(short(pairs.ferry.median)) s, "
                + "pump \(short(pairs.reference.median)) s; "
                + "processor time pump / Ferry \(short(times.ratio)); ratios \(pairs.ratios.text)"
        )
    }
}
