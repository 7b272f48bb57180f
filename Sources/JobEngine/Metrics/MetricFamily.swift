/// One metric with all of its series, as a scrape shows it.
package struct MetricFamily: Sendable {
    package let name: String
    /// What it says, in one line.
    package let help: String
    package let kind: Kind
    package let series: [Series]

    /// The types of the Prometheus text format that Ferry has.
    package enum Kind: String, Sendable {
        case counter
        case gauge
        case histogram
    }

    /// One line, or one histogram, with what tells it from its kin.
    package struct Series: Sendable {
        package let labels: [(name: String, value: String)]
        package let value: Value

        package init(_ value: Value, _ labels: [(name: String, value: String)] = []) {
            self.labels = labels
            self.value = value
        }
    }

    package enum Value: Sendable {
        case number(Double)
        case histogram(Histogram.Reading)
    }

    package init(_ name: String, _ kind: Kind, _ help: String, _ series: [Series]) {
        self.name = name
        self.help = help
        self.kind = kind
        self.series = series
    }

    /// A gauge with one series.
    package static func gauge(_ name: String, _ help: String, _ value: Double) -> Self {
        Self(name, .gauge, help, [Series(.number(value))])
    }

    /// A gauge with a series for each value of one label.
    package static func gauge(
        _ name: String,
        _ help: String,
        by label: String,
        _ values: [(String, Double)]
    ) -> Self {
        Self(name, .gauge, help, values.map { Series(.number($0.1), [(label, $0.0)]) })
    }

    /// A counter with one series.
    package static func counter(_ name: String, _ help: String, _ value: Double) -> Self {
        Self(name, .counter, help, [Series(.number(value))])
    }
}
