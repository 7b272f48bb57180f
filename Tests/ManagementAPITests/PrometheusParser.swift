/// Reads the text format of Prometheus and refuses whatever the format does not allow, and what its
/// readers would take for something else.
struct PrometheusParser {
    struct Fault: Error, CustomStringConvertible {
        let line: String
        let what: String

        var description: String { "\(what): \(line)" }
    }

    struct Family {
        let name: String
        let help: String
        var type = ""
        var samples: [Sample] = []

        /// The value of the one sample with these labels.
        func value(_ labels: [String: String] = [:]) -> Double? {
            samples.first { $0.name == name && $0.labels == labels }?.value
        }

        /// How much a histogram with these labels has counted.
        func count(_ labels: [String: String]) -> Double? {
            samples.first { $0.name == "\(name)_count" && $0.labels == labels }?.value
        }
    }

    struct Sample {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    private(set) var families: [String: Family] = [:]
    private var current: Family?

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Fault(line: text, what: "no newline at the end") }
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            try read(String(line))
        }
        try finish()
    }

    private mutating func read(_ line: String) throws {
        if line.hasPrefix("# HELP ") {
            try finish()
            let parts = line.dropFirst(7).split(separator: " ", maxSplits: 1).map(String.init)
            guard parts.count == 2, Self.isName(parts[0]), families[parts[0]] == nil else {
                throw Fault(line: line, what: "HELP is malformed or the metric is there twice")
            }
            current = Family(name: parts[0], help: parts[1])
        } else if line.hasPrefix("# TYPE ") {
            let parts = line.dropFirst(7).split(separator: " ").map(String.init)
            guard parts.count == 2, parts[0] == current?.name, current?.type == "",
                ["counter", "gauge", "histogram"].contains(parts[1])
            else { throw Fault(line: line, what: "TYPE does not follow its HELP") }
            current?.type = parts[1]
        } else {
            guard let type = current?.type, !type.isEmpty else {
                throw Fault(line: line, what: "a sample without TYPE")
            }
            let sample = try sample(line)
            current?.samples.append(sample)
        }
    }

    private func sample(_ line: String) throws -> Sample {
        var rest = Substring(line)
        let name = String(rest.prefix { $0 != "{" && $0 != " " })
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = String(rest.prefix { $0 != "=" })
                rest = rest.dropFirst(label.count)
                guard Self.isName(label), !label.contains(":"), rest.hasPrefix("=\"") else {
                    throw Fault(line: line, what: "a label is malformed")
                }
                rest = rest.dropFirst(2)
                let value = try Self.quoted(&rest, line)
                guard labels.updateValue(value, forKey: label) == nil else {
                    throw Fault(line: line, what: "a label is there twice")
                }
                if rest.first == "," { rest = rest.dropFirst() }
            }
            rest = rest.dropFirst()
        }
        guard Self.isName(name), rest.first == " ",
            let value = Self.number(String(rest.dropFirst()))
        else { throw Fault(line: line, what: "a sample is malformed") }
        return Sample(name: name, labels: labels, value: value)
    }

    /// The text up to a quote, its escapes resolved; leaves what follows the quote.
    private static func quoted(_ rest: inout Substring, _ line: String) throws -> String {
        var text = ""
        while let character = rest.popFirst() {
            switch character {
            case "\"": return text
            case "\\":
                switch rest.popFirst() {
                case "n": text += "\n"
                case "\\": text += "\\"
                case "\"": text += "\""
                default: throw Fault(line: line, what: "an escape is unknown")
                }
            default: text.append(character)
            }
        }
        throw Fault(line: line, what: "a quote is not closed")
    }

    private static func number(_ text: String) -> Double? {
        text == "+Inf" ? .infinity : text.contains(" ") ? nil : Double(text)
    }

    private static func isName(_ text: String) -> Bool {
        let isFirst = { (byte: UInt8) in
            (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
        }
        guard let first = text.utf8.first, isFirst(first) else { return false }
        return text.utf8.allSatisfy { isFirst($0) || (0x30...0x39).contains($0) }
    }

    /// Ends the metric under way: what holds for all of its samples.
    private mutating func finish() throws {
        guard let family = current else { return }
        guard !family.type.isEmpty else { throw Fault(line: family.name, what: "no TYPE") }
        let keys = family.samples.map { "\($0.name) \($0.labels.sorted { $0.key < $1.key })" }
        guard Set(keys).count == keys.count else {
            throw Fault(line: family.name, what: "a series is there twice")
        }
        if family.type == "histogram" {
            try Self.checkHistogram(family)
        } else {
            guard family.samples.allSatisfy({ $0.name == family.name }) else {
                throw Fault(line: family.name, what: "a sample of another metric")
            }
            guard family.name.hasSuffix("_total") == (family.type == "counter") else {
                throw Fault(line: family.name, what: "counters end with _total, and nothing else")
            }
        }
        families[family.name] = family
        current = nil
    }

    private static func checkHistogram(_ family: Family) throws {
        var series: [[String: String]: [Sample]] = [:]
        for sample in family.samples {
            var labels = sample.labels
            labels["le"] = nil
            series[labels, default: []].append(sample)
        }
        for samples in series.values {
            let buckets = samples.filter { $0.name == "\(family.name)_bucket" }
            let bounds = buckets.compactMap { number($0.labels["le"] ?? "") }
            let counts = buckets.map(\.value)
            let total = samples.first { $0.name == "\(family.name)_count" }?.value
            let sums = samples.filter { $0.name == "\(family.name)_sum" }
            guard bounds.count == buckets.count, bounds.last == .infinity,
                zip(bounds, bounds.dropFirst()).allSatisfy(<),
                zip(counts, counts.dropFirst()).allSatisfy(<=), counts.last == total,
                sums.count == 1, samples.count == buckets.count + 2
            else { throw Fault(line: family.name, what: "the buckets are wrong") }
        }
    }
}
