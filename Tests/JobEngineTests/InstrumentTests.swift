import Dispatch
import MigrationCore
import Testing

@testable import JobEngine

@Suite("Instruments count what they are told")
struct InstrumentTests {
    @Test("a duration falls into the first bucket that holds it, bounds included")
    func buckets() throws {
        let histogram = Histogram(HistogramBounds(seconds: [0.001, 0.01]))
        for nanoseconds: UInt64 in [0, 1_000_000, 1_000_001, 10_000_000, 10_000_001] {
            histogram.observe(nanoseconds: nanoseconds)
        }
        guard case .histogram(let reading) = histogram.reading else {
            throw Problem(.internalError, "A histogram reads as something else.")
        }
        #expect(reading.buckets.map(\.count) == [2, 4])
        #expect(reading.count == 5)
        #expect(abs(reading.sumSeconds - 0.022000002) < 1e-12)
    }

    @Test(
        "bounds ascend",
        arguments: [HistogramBounds.calls, .phases, .downtimes, .requests]
    )
    func bounds(_ bounds: HistogramBounds) {
        #expect(zip(bounds.seconds, bounds.seconds.dropFirst()).allSatisfy(<))
    }

    @Test("no addition of many threads is lost")
    func threads() {
        let counts = AtomicCounts(2)
        DispatchQueue.concurrentPerform(iterations: 8) { number in
            for _ in 0..<10_000 { counts.add(at: number % 2) }
        }
        #expect([counts[0], counts[1]] == [40_000, 40_000])
    }

    @Test("a family that is full counts what is new together")
    func limit() {
        let family = InstrumentFamily<Counter>("ferry_x_total", "x", by: ["a"], seriesLimit: 2)
        for value in ["1", "2", "3", "4", "1"] { family.of(value).add() }
        let values = family.reading.series.map { series in
            "\(series.labels.map(\.value)) \(series.value)"
        }
        #expect(
            values == [
                "[\"1\"] number(2.0)", "[\"2\"] number(1.0)", "[\"other\"] number(2.0)",
            ]
        )
    }
}

@Suite("The engine counts what goes wrong")
struct EngineMetricsTests {
    /// The value of a counter's series; 0 when it is not there.
    private func count(_ engine: Engine, _ name: String, _ labels: [String]) -> Double {
        let family = engine.metricFamilies().first { $0.name == name }
        let series = family?.series.first { $0.labels.map(\.value) == labels }
        guard case .number(let value)? = series?.value else { return 0 }
        return value
    }

    @Test("a SET that fails is counted by its errno, and not as an arc")
    func failedSet() async throws {
        let fixture = try EngineFixture(
            "mlx5:count=2,state=64KiB,fault=arc:PRE_COPY_P2P-STOP_COPY:EIO:1"
        )
        let view = try await fixture.run(try fixture.migration())
        #expect(view.job.state.name == "failed")
        let arc = ["pre_copy_p2p", "stop_copy", "simulated mlx5_vfio_pci"]
        #expect(count(fixture.engine, "ferry_arc_failures_total", arc + ["EIO"]) == 1)
        let worked = view.job.devices.flatMap(\.arcs).filter { $0.errno == nil }
        let family = fixture.engine.metricFamilies().first {
            $0.name == "ferry_arc_duration_seconds"
        }
        let counted = try #require(family).series.reduce(0) { sum, series in
            guard case .histogram(let reading) = series.value else { return sum }
            return sum + Int(reading.count)
        }
        #expect(counted == worked.count)
        #expect(count(fixture.engine, "ferry_jobs_total", ["migrate", "failed"]) == 1)
    }

    @Test("a write the store does not take is counted, and none of the times is its")
    func failedWrite() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        fixture.tape.start()
        fixture.store.plan(.from(1))
        let spec = try fixture.migration()
        let before = writeCount(fixture.engine)
        #expect(before > 0)
        #expect(throws: Problem.self) { try fixture.engine.submit(spec, requestedBy: "test") }
        #expect(count(fixture.engine, "ferry_store_failures_total", ["write"]) == 1)
        #expect(writeCount(fixture.engine) == before)
    }

    /// How many times of writes are told.
    private func writeCount(_ engine: Engine) -> Int {
        let families = engine.metricFamilies().filter {
            $0.name == "ferry_store_write_duration_seconds"
        }
        return families.flatMap(\.series).reduce(0) { sum, series in
            guard case .histogram(let reading) = series.value else { return sum }
            return sum + Int(reading.count)
        }
    }

    @Test("requests that find every queue full are counted")
    func overload() async throws {
        let fixture = try EngineFixture(["mlx5:count=3,state=64KiB"]) { configuration in
            configuration.commandQueueCount = 1
            configuration.pendingCommandLimit = 0
        }
        let gate = DispatchSemaphore(value: 0)
        try fixture.engine.perform { #expect(gate.wait(timeout: .now() + 60) == .success) }
        defer { gate.signal() }
        #expect(throws: Problem.self) { try fixture.engine.perform {} }
        #expect(count(fixture.engine, "ferry_overload_refusals_total", ["commands"]) == 1)
        #expect(count(fixture.engine, "ferry_commands_busy", []) == 1)
    }
}
