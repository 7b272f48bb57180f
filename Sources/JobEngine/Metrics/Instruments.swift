internal import Synchronization

/// Something that is measured, by itself or as one series of a family.
package protocol Instrument: AnyObject, Sendable {
    static var kind: MetricFamily.Kind { get }
    var reading: MetricFamily.Value { get }
}

/// A number that only grows.
package final class Counter: Instrument {
    package static let kind = MetricFamily.Kind.counter
    private let count = Atomic<UInt64>(0)

    package init() {}

    package func add(_ amount: UInt64 = 1) { count.wrappingAdd(amount, ordering: .relaxed) }

    package var value: UInt64 { count.load(ordering: .relaxed) }
    package var reading: MetricFamily.Value { .number(Double(value)) }
}

/// A number that rises and falls.
package final class Gauge: Instrument {
    package static let kind = MetricFamily.Kind.gauge
    private let level = Atomic<Int>(0)

    package init() {}

    package func add(_ amount: Int) { level.wrappingAdd(amount, ordering: .relaxed) }
    package func set(_ value: Int) { level.store(value, ordering: .relaxed) }

    package var value: Int { level.load(ordering: .relaxed) }
    package var reading: MetricFamily.Value { .number(Double(value)) }
}

/// How often durations fell into which of a few buckets.
package final class Histogram: Instrument {
    package static let kind = MetricFamily.Kind.histogram

    private let bounds: HistogramBounds
    /// A count for each bound, the one above all bounds, and the sum in nanoseconds.
    private let counts: AtomicCounts

    package init(_ bounds: HistogramBounds) {
        self.bounds = bounds
        self.counts = AtomicCounts(bounds.seconds.count + 2)
    }

    package func observe(nanoseconds: UInt64) {
        counts.add(at: bounds.bucket(of: nanoseconds))
        counts.add(nanoseconds, at: counts.count - 1)
    }

    /// What a histogram says: counts up to and including each bound, and of all.
    package struct Reading: Sendable {
        package let buckets: [(seconds: Double, count: UInt64)]
        package let count: UInt64
        package let sumSeconds: Double
    }

    package var reading: MetricFamily.Value {
        var total: UInt64 = 0
        var buckets: [(seconds: Double, count: UInt64)] = []
        for (index, bound) in bounds.seconds.enumerated() {
            total += counts[index]
            buckets.append((bound, total))
        }
        let sum = Double(counts[counts.count - 1]) / 1e9
        return .histogram(
            Reading(
                buckets: buckets,
                count: total + counts[bounds.seconds.count],
                sumSeconds: sum
            )
        )
    }
}

/// Where the buckets of a histogram end.
package struct HistogramBounds: Sendable {
    package let seconds: [Double]
    private let nanoseconds: [UInt64]

    /// Bounds in seconds, ascending.
    package init(seconds: [Double]) {
        self.seconds = seconds
        self.nanoseconds = seconds.map { UInt64(($0 * 1e9).rounded()) }
    }

    /// The number of the first bucket that holds a duration; that after the last when none does.
    func bucket(of duration: UInt64) -> Int {
        for (index, bound) in nanoseconds.enumerated() where duration <= bound { return index }
        return nanoseconds.count
    }

    /// For single calls: ioctls, writes of the store.
    package static let calls = Self(
        seconds: [
            0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
            2.5, 10, 60,
        ]
    )
    /// For the parts of a job.
    package static let phases = Self(
        seconds: [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]
    )
    /// For the time in which no guest runs.
    package static let downtimes = Self(
        seconds: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30]
    )
    /// For requests, from one answered from memory to the longest wait.
    package static let requests = Self(
        seconds: [
            0.000025, 0.0001, 0.00025, 0.001, 0.0025, 0.01, 0.025, 0.1, 0.25, 1, 2.5, 10, 30, 60,
        ]
    )
}
