internal import MigrationCore

/// What is known of a hosted device, as bytes.
///
/// Texts are a length (1 byte) and names of at most 128 letters, digits, `.`, `_`, `:` and `-`; one
/// that is not there has length 0.
struct RecordWriter {
    /// No record is longer: 5 texts and 8 numbers.
    static let recordLimit = 5 * 129 + 8 * 8

    private(set) var bytes: [UInt8] = []

    mutating func append(_ record: DeviceRecord) {
        guard let facts = record.simulation else { return }
        append(record.id.text)
        append(record.driver)
        append(UInt64(record.vendorID ?? 0))
        append(UInt64(record.deviceID ?? 0))
        append(record.support.flags == nil ? 0 : 1)
        append(record.support.flags?.rawValue ?? 0)
        append(facts.profile)
        append(facts.seed)
        append(facts.stateByteCount)
        append(facts.dirtyBytesPerSecond)
        append(facts.contentDigest)
        append(facts.stoppedContentDigest)
        if case .known(let state)? = record.debugState {
            append(UInt64(state.rawValue))
        } else {
            append(UInt64.max)
        }
    }

    private mutating func append(_ text: String?) {
        let text = Array((text ?? "").utf8.prefix(128))
        bytes.append(UInt8(text.count))
        bytes += text
    }

    private mutating func append(_ number: UInt64) { bytes += StreamFormat.bytes(number) }
}

/// Reads what ``RecordWriter`` wrote, and believes nothing of it.
///
/// Everything throws EPROTO for what is not as it is written.
struct RecordReader {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    var isAtEnd: Bool { rest.isEmpty }

    mutating func record() throws(Errno) -> DeviceRecord {
        guard let id = try text().flatMap({ DeviceID($0) }) else { throw .protocolError }
        let driver = try text()
        let (vendorID, deviceID) = (try number(), try number())
        let (kind, flags) = (try number(), try number())
        let support = MigrationSupport(AnswerPacket(first: kind, second: flags))
        let (profile, seed) = (try text(), try number())
        let (stateByteCount, dirtyBytesPerSecond) = (try number(), try number())
        let (digest, stopped, state) = (try text(), try text(), try number())
        guard let support, let profile, let digest else { throw .protocolError }
        var record = DeviceRecord(
            id: id,
            backend: .simulated,
            bus: .simulated,
            address: id.text,
            support: support
        )
        record.driver = driver
        record.vendorID = UInt32(truncatingIfNeeded: vendorID)
        record.deviceID = UInt32(truncatingIfNeeded: deviceID)
        if state != .max {
            guard let number = UInt32(exactly: state) else { throw .protocolError }
            record.debugState = ReportedState(kernelNumber: number)
        }
        record.simulation = SimulationFacts(
            profile: profile,
            seed: seed,
            stateByteCount: stateByteCount,
            dirtyBytesPerSecond: dirtyBytesPerSecond,
            contentDigest: digest,
            stoppedContentDigest: stopped
        )
        return record
    }

    private mutating func text() throws(Errno) -> String? {
        guard let count = rest.popFirst(), rest.count >= Int(count) else { throw .protocolError }
        defer { rest = rest.dropFirst(Int(count)) }
        guard count > 0 else { return nil }
        // A name of anything is harmless wherever it is shown.
        let name = DeviceID(String(decoding: rest.prefix(Int(count)), as: UTF8.self))
        guard let name else { throw .protocolError }
        return name.text
    }

    private mutating func number() throws(Errno) -> UInt64 {
        guard rest.count >= 8 else { throw .protocolError }
        defer { rest = rest.dropFirst(8) }
        return StreamFormat.number(rest.prefix(8))
    }
}
