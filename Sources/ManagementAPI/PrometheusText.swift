internal import JobEngine

/// Metrics in the text format of Prometheus, version 0.0.4.
struct PrometheusText {
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private(set) var text = ""

    init(_ families: [MetricFamily]) {
        for family in families { add(family) }
    }

    private mutating func add(_ family: MetricFamily) {
        text += "# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n"
        text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
        for series in family.series {
            switch series.value {
            case .number(let value): add(family.name, series.labels, Self.text(of: value))
            case .histogram(let reading): add(reading, family.name, series.labels)
            }
        }
    }

    private mutating func add(
        _ reading: Histogram.Reading,
        _ name: String,
        _ labels: [(name: String, value: String)]
    ) {
        for (seconds, count) in reading.buckets {
            add("\(name)_bucket", labels + [("le", Self.text(of: seconds))], "\(count)")
        }
        add("\(name)_bucket", labels + [("le", "+Inf")], "\(reading.count)")
        add("\(name)_sum", labels, Self.text(of: reading.sumSeconds))
        add("\(name)_count", labels, "\(reading.count)")
    }

    private mutating func add(
        _ name: String,
        _ labels: [(name: String, value: String)],
        _ value: String
    ) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
            text += "{\(pairs.joined(separator: ","))}"
        }
        text += " \(value)\n"
    }

    /// Whole numbers without a fraction; they are exact up to 2^53.
    private static func text(of value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        guard value == value.rounded(), abs(value) < 0x1p53 else { return "\(value)" }
        return "\(Int64(value))"
    }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quotes: escaped += "\\\""
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }
}
