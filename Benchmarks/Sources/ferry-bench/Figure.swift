import Foundation

/// One measured figure, and the bar it has to reach.
struct Figure {
    enum Bar {
        case atLeast(Double)
        case atMost(Double)
        /// Whatever it is, it could not be measured.
        case unreached
    }

    enum Verdict {
        case ok
        case short
    }

    let name: String
    let value: Double
    let unit: String
    let bar: Bar
    /// What it was made of.
    let note: String

    var verdict: Verdict {
        switch bar {
        case .atLeast(let bar): value >= bar ? .ok : .short
        case .atMost(let bar): value <= bar ? .ok : .short
        case .unreached: .short
        }
    }

    /// A benchmark that could not be run is one that is not met.
    static func failed(_ name: String, _ why: String) -> Figure {
        Figure(name: name, value: .nan, unit: "", bar: .unreached, note: why)
    }
}

/// Measured values, in the order they were taken.
struct Sample {
    var values: [Double] = []

    var median: Double {
        let sorted = values.sorted()
        guard let last = sorted.indices.last else { return .nan }
        return (sorted[last / 2] + sorted[(last + 1) / 2]) / 2
    }

    /// `1.02 (0.98 to 1.10)`.
    var text: String {
        guard let low = values.min(), let high = values.max() else { return "none" }
        return "\(short(median)) (\(short(low)) to \(short(high)))"
    }
}

/// Values of two things that were measured in turn.
struct Pairs {
    private(set) var ferry = Sample()
    private(set) var reference = Sample()
    /// Of each pair, so that a busy machine hits both of its halves.
    private(set) var ratios = Sample()

    /// Measures both so many times, one after the other, beginning with another one each time.
    init(
        _ count: Int,
        ferry measureFerry: () throws -> Double,
        reference measureReference: () throws -> Double,
        ratio: (_ ferry: Double, _ reference: Double) -> Double
    ) throws {
        // The first of each warms what is cold.
        _ = try (measureFerry(), measureReference())
        for number in 0..<count {
            let first = number % 2 == 0 ? try measureFerry() : 0
            let second = try measureReference()
            let ferryValue = number % 2 == 0 ? first : try measureFerry()
            ferry.values.append(ferryValue)
            reference.values.append(second)
            ratios.values.append(ratio(ferryValue, second))
        }
    }
}

func short(_ value: Double) -> String {
    if value.isNaN { return "-" }
    let digits = abs(value) >= 1000 ? 0 : abs(value) >= 100 ? 1 : abs(value) >= 10 ? 2 : 3
    return String(format: "%.\(digits)f", value)
}

/// The table that is printed.
enum Report {
    static func printHeader() {
        line("name", "value", "bar", "", "made of")
    }

    static func print(_ figure: Figure) {
        let bar =
            switch figure.bar {
            case .atLeast(let bar): ">= \(short(bar))"
            case .atMost(let bar): "<= \(short(bar))"
            case .unreached: "-"
            }
        let verdict =
            switch figure.verdict {
            case .ok: "ok"
            case .short: "SHORT"
            }
        line(figure.name, "\(short(figure.value)) \(figure.unit)", bar, verdict, figure.note)
    }

    private static func line(
        _ name: String,
        _ value: String,
        _ bar: String,
        _ verdict: String,
        _ note: String
    ) {
        let cells = [(name, 22), (value, 14), (bar, 10), (verdict, 6)]
        let text = cells.map { $0.0.padding(toLength: $0.1, withPad: " ", startingAt: 0) }
        Swift.print(text.joined() + note)
        fflush(nil)
    }
}
