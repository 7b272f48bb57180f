import Foundation

/// Many clients that want nothing just now: what they cost those that do, and what they cost at all.
extension Bench {
    private static let subscriberCount = 1000
    private static let idleCount = 2000
    private static let idleSeconds = 5.0
    private static let deliveryCount = 9

    /// 1,000 subscribers of events and 2,000 connections that were answered once, with ferryd's own
    /// limits, beside a ferryd that nobody visits.
    func crowd() throws -> [Figure] {
        let alone = try visited()
        let crowded = try visited()
        // What the first crowd makes the daemon keep is no cost of the second.
        try Crowd(self, crowded.daemon).leave()
        let memoryBefore = try crowded.daemon.process.privateMemory()
        let crowd = try Crowd(self, crowded.daemon)
        let memory = try crowded.daemon.process.privateMemory() - memoryBefore
        let reads = try Pairs(
            effort.pairs,
            ferry: { try load(crowded.daemon.client.port, Self.connections, [crowded.target]) },
            reference: { try load(alone.daemon.client.port, Self.connections, [alone.target]) },
            ratio: { $0 / $1 }
        )
        let busy = try idleProcessorTime(crowded.daemon)
        let deliveries = try deliveries(to: crowd, crowded.daemon)
        let left = try crowd.leave()
        let memoryLeft = try crowded.daemon.process.privateMemory() - memoryBefore
        let count = Double(Self.subscriberCount + Self.idleCount)
        return [
            Figure(
                name: "crowd-get",
                value: reads.ratios.median,
                unit: "x",
                bar: .atLeast(0.9),
                note: "of \(short(reads.reference.median)) requests/s without the crowd; ratios "
                    + reads.ratios.text
            ),
            Figure(
                name: "crowd-delivery",
                value: deliveries.late.median,
                unit: "ms",
                bar: .atMost(100),
                note: "from the request that makes an event until 99 % of the subscribers have it: "
                    + "\(deliveries.late.text); half of them \(deliveries.half.text), "
                    + "all \(deliveries.all.text)"
            ),
            Figure(
                name: "crowd-idle",
                value: busy,
                unit: "%",
                bar: .atMost(1),
                note: "of a processor, over \(short(Self.idleSeconds)) s in which nothing happens"
            ),
            Figure(
                name: "crowd-memory",
                value: memory / count / 1024,
                unit: "KiB",
                bar: .atMost(40),
                note: "private, by connection; \(short(memory / 1_048_576)) MiB in all, of which "
                    + "\(short(memoryLeft / 1_048_576)) MiB stay when they have left"
            ),
            Figure(
                name: "crowd-left",
                value: Double(left),
                unit: "files",
                bar: .atMost(0),
                note: "open in ferryd after the crowd has left, more than before it came"
            ),
        ]
    }

    private func visited() throws -> (daemon: Daemon, target: String) {
        let daemon = try Daemon(self, ["mlx5:count=2,state=1MiB"])
        let job = try daemon.migrate([(0, 1)])
        return (daemon, "/v1/jobs/\(job.id)")
    }

    /// Percents of one processor.
    private func idleProcessorTime(_ daemon: Daemon) throws -> Double {
        let before = try daemon.process.processorSeconds()
        // Nothing is awaited: the time itself is what is measured.
        usleep(UInt32(Self.idleSeconds * 1e6))
        return (try daemon.process.processorSeconds() - before) / Self.idleSeconds * 100
    }

    private func deliveries(
        to crowd: Crowd,
        _ daemon: Daemon
    ) throws -> (half: Sample, late: Sample, all: Sample) {
        var (half, late, all) = (Sample(), Sample(), Sample())
        for _ in 0..<Self.deliveryCount {
            // A session that opens is one event; sim-0 was moved away from and has none.
            let times = try crowd.times { try daemon.openSession(0) }
            half.values.append(times[0])
            late.values.append(times[1])
            all.values.append(times[2])
            _ = try crowd.times { try daemon.closeSession(0) }
        }
        return (half, late, all)
    }

    /// The clients, in a process of their own.
    private final class Crowd {
        private let process: ChildProcess
        private let daemon: Daemon
        private let descriptorsBefore: Int

        /// Returns when all of them are served.
        init(_ bench: Bench, _ daemon: Daemon) throws {
            self.daemon = daemon
            descriptorsBefore = try daemon.process.descriptorCount()
            process = try ChildProcess(
                bench.tool("crowd"),
                ["\(daemon.client.port)", "\(subscriberCount)", "\(idleCount)"]
            )
            guard process.readLine() == "open" else { throw BenchFailure("no crowd came in") }
        }

        /// Milliseconds until half, 99 % and all of the subscribers have an event.
        func times(of event: () throws -> Void) throws -> [Double] {
            try process.write(line: "watch")
            guard process.readLine() == "watching" else { throw BenchFailure("the crowd is gone") }
            let start = now()
            try event()
            let times = process.readLine()?.split(separator: " ").compactMap { Double($0) } ?? []
            guard times.count == 3 else { throw BenchFailure("not all subscribers had an event") }
            return times.map { ($0 / 1e9 - start) * 1000 }
        }

        /// Files the daemon has open still when it had time to notice, more than before.
        @discardableResult
        func leave() throws -> Int {
            try process.finish()
            let deadline = now() + 5
            var left = try daemon.process.descriptorCount() - descriptorsBefore
            while left > 0, now() < deadline {
                // Nothing tells of a file that another process closes.
                usleep(10_000)
                left = try daemon.process.descriptorCount() - descriptorsBefore
            }
            return left
        }
    }
}
