internal import Synchronization

/// The series of one metric, each made when something is first measured for its labels.
///
/// Never more than a limit of them, whatever the labels: then what is new is measured together as
/// `other`.
package final class InstrumentFamily<Member: Instrument>: Sendable {
    private struct Key: Hashable {
        let values: [String]
    }

    private let name: String
    private let help: String
    private let labels: [String]
    private let seriesLimit: Int
    private let make: @Sendable () -> Member
    /// Guards which series there are.
    ///
    /// A leaf.
    private let members = Mutex<[Key: Member]>([:])

    package init(
        _ name: String,
        _ help: String,
        by labels: [String],
        seriesLimit: Int = 500,
        _ make: @escaping @Sendable () -> Member
    ) {
        self.name = name
        self.help = help
        self.labels = labels
        self.seriesLimit = seriesLimit
        self.make = make
    }

    /// The series with these values of the labels, in the labels' order.
    package func of(_ values: String...) -> Member {
        members.withLock { members in
            if let known = members[Key(values: values)] { return known }
            let isFull = members.count >= seriesLimit
            let key = Key(values: isFull ? labels.map { _ in "other" } : values)
            if let known = members[key] { return known }
            let member = make()
            members[key] = member
            return member
        }
    }

    /// All of them, in the order of their labels' values.
    package var reading: MetricFamily {
        let all = members.withLock { members in members.map { ($0.key.values, $0.value) } }
        let series = all.sorted { $0.0.lexicographicallyPrecedes($1.0) }.map { values, member in
            let pairs = zip(labels, values).map { (name: $0, value: $1) }
            return MetricFamily.Series(member.reading, pairs)
        }
        return MetricFamily(name, Member.kind, help, series)
    }
}

extension InstrumentFamily where Member == Counter {
    package convenience init(
        _ name: String,
        _ help: String,
        by labels: [String],
        seriesLimit: Int = 500
    ) {
        self.init(name, help, by: labels, seriesLimit: seriesLimit) { Counter() }
    }
}

extension InstrumentFamily where Member == Histogram {
    package convenience init(
        _ name: String,
        _ help: String,
        by labels: [String],
        in bounds: HistogramBounds,
        seriesLimit: Int = 500
    ) {
        self.init(name, help, by: labels, seriesLimit: seriesLimit) { Histogram(bounds) }
    }
}
