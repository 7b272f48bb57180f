/// `67.1 MiB`: a count of bytes for a person.
func bytes(_ count: Int64) -> String {
    var units = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"][...]
    guard count >= 1024, var unit = units.popFirst() else { return "\(count) B" }
    var tenths = count / 1024 * 10 + count % 1024 * 10 / 1024
    while tenths >= 10240, let next = units.popFirst() {
        tenths /= 1024
        unit = next
    }
    return "\(tenths / 10).\(tenths % 10) \(unit)"
}

/// `1.234 s`, `3.100 ms`, `58 us`: a duration for a person.
func duration(microseconds: Int64) -> String {
    switch microseconds {
    case ..<1000: "\(microseconds) us"
    case ..<1_000_000: "\(thousandths(microseconds)) ms"
    default: "\(thousandths(microseconds / 1000)) s"
    }
}

private func thousandths(_ count: Int64) -> String {
    let rest = String(count % 1000)
    return "\(count / 1000)." + String(repeating: "0", count: 3 - rest.count) + rest
}
