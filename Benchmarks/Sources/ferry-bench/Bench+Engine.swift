import Foundation
import Glibc

/// What the engine itself costs: time beside the devices' own, and memory.
extension Bench {
    /// Switchovers of sets against that of one device, in a daemon of its own each time.
    ///
    /// Every arc takes 20 ms and the states are too small for their bytes to take time, so all that
    /// can grow with the set is what the engine does one after the other.
    func sets() throws -> [Figure] {
        [4, 16, 64].map { count in
            do {
                let pairs = try Pairs(
                    3,
                    ferry: { try downtime(ofSet: count) },
                    reference: { try downtime(ofSet: 1) },
                    ratio: { $0 / $1 }
                )
                return Figure(
                    name: "set-\(count)",
                    value: pairs.ratios.median,
                    unit: "x",
                    bar: .atMost(1.3),
                    note: "downtime \(short(pairs.ferry.median / 1000)) ms, of one device "
                        + "\(short(pairs.reference.median / 1000)) ms; ratios \(pairs.ratios.text)"
                )
            } catch {
                return .failed("set-\(count)", "\(error)")
            }
        }
    }

    /// Microseconds.
    private func downtime(ofSet count: Int) throws -> Double {
        let daemon = try Daemon(self, ["mlx5:count=\(2 * count),state=4KiB,arc=20ms"])
        return try daemon.migrate((0..<count).map { ($0, count + $0) }).downtime
    }

    /// The time of migrates of devices that take none, without the arcs' own, by arc.
    ///
    /// All of a job from its first phase to its last: journal, barriers, commit, the 4 KiB of state.
    func engineByArc() throws -> [Figure] {
        let daemon = try Daemon(self, ["mlx5:count=2,state=4KiB"])
        var sample = Sample()
        var pure = Sample()
        var arcCount = 0
        let before = try daemon.process.processorSeconds()
        for _ in 0..<(effort.pairs * 5) {
            let job = try daemon.migrate([(0, 1)])
            let whole = job.phaseTimes.compactMap(\.durationUs).reduce(0, +)
            let arcs = job.devices.flatMap(\.arcs).map(\.durationUs)
            sample.values.append((whole - arcs.reduce(0, +)) / Double(arcs.count) / 1000)
            pure.values.append(job.engineTimeByPureArc / 1000)
            // Back again, unmeasured but for keeping the source in place.
            try daemon.openSession(0)
            _ = try daemon.migrate([(1, 0)])
            try daemon.openSession(1)
            arcCount += 2 * arcs.count
        }
        // With the API's own, of which there are four requests a migrate.
        let busy = (try daemon.process.processorSeconds() - before) / Double(arcCount) * 1000
        return [
            Figure(
                name: "engine-per-arc",
                value: sample.median,
                unit: "ms",
                bar: .atMost(0.5),
                note: "of \(sample.values.count) migrates: \(sample.text); where nothing but SETs "
                    + "is done \(pure.text); the daemon's processor "
                    + "time by arc, requests and all, \(short(busy)) ms"
            )
        ]
    }

    func idleMemory() throws -> [Figure] {
        let daemon = try Daemon(self, ["mlx5:count=4,state=64MiB"])
        _ = try daemon.devices()
        let few = try daemon.process.privateMemory() / 1_048_576
        let many = try Daemon(self, ["mlx5:count=1024,state=64KiB"])
        _ = try many.devices()
        let manyMemory = try many.process.privateMemory() / 1_048_576
        return [
            Figure(
                name: "idle-memory",
                value: few,
                unit: "MiB",
                bar: .atMost(40),
                note:
                    "private, 4 devices, after a list; with 1,024 devices \(short(manyMemory)) MiB"
            )
        ]
    }

    /// What each of several streams adds to the daemon's private memory while all of them move.
    func streamMemory() throws -> [Figure] {
        let count = 8
        let daemon = try Daemon(self, ["mlx5:count=\(2 * count),state=4GiB"])
        _ = try daemon.devices()
        let before = try daemon.process.privateMemory()
        // Slow enough to last, with whole chunks all the same.
        let limit = #","limits":{"bandwidth_bytes_per_second":33554432}"#
        let jobs = try (0..<count).map {
            try daemon.begin(Daemon.migration([($0, count + $0)], limit))
        }
        for job in jobs {
            while try daemon.client.get(Job.self, "/v1/jobs/\(job.id)").progress?.sentBytes ?? 0
                < Double(16 << 20)
            {
                usleep(20_000)
            }
        }
        let during = try daemon.process.privateMemory()
        for job in jobs { _ = try daemon.client.ask("POST", "/v1/jobs/\(job.id)/cancel") }
        return [
            Figure(
                name: "stream-memory",
                value: (during - before) / Double(count) / 1_048_576,
                unit: "MiB",
                bar: .atMost(8),
                note: "private, by stream, of \(count) migrates under way"
            )
        ]
    }
}
