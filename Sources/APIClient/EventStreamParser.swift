/// One event of a stream of server-sent events.
package struct StreamedEvent: Hashable, Sendable {
    /// What to ask for after a break: the last identifier the stream gave.
    package let id: String?
    package let type: String
    package let data: String

    package init(id: String?, type: String, data: String) {
        self.id = id
        self.type = type
        self.data = data
    }
}

/// Reads `text/event-stream`, in whatever pieces it arrives.
///
/// Lines end in CR LF, LF or CR. A line, and an event, is at most as long as the limit.
package struct EventStreamParser {
    package struct TooLong: Error {}

    package static let standardByteLimit = 1 << 20

    /// The last identifier that was given, also by a block without data.
    package private(set) var lastID: String?
    /// How long to wait before the next connection, if the server said so.
    package private(set) var retryMilliseconds: Int?
    private let byteLimit: Int
    private var line: [UInt8] = []
    private var endedInReturn = false
    private var isFirstLine = true
    /// The identifier of the block that is not whole yet.
    private var nextID: String?
    private var type = ""
    private var data: [UInt8] = []
    private var hasData = false

    package init(lastID: String? = nil, byteLimit: Int = standardByteLimit) {
        self.lastID = lastID
        self.nextID = lastID
        self.byteLimit = byteLimit
    }

    /// The events that are whole with these bytes.
    package mutating func take(
        _ bytes: some Sequence<UInt8>
    ) throws(TooLong) -> [StreamedEvent] {
        var events: [StreamedEvent] = []
        for byte in bytes {
            let follows = endedInReturn
            endedInReturn = byte == UInt8(ascii: "\r")
            if byte == UInt8(ascii: "\n"), follows { continue }
            if byte == UInt8(ascii: "\n") || endedInReturn {
                if let event = endLine() { events.append(event) }
            } else {
                guard line.count + data.count < byteLimit else { throw TooLong() }
                line.append(byte)
            }
        }
        return events
    }

    private mutating func endLine() -> StreamedEvent? {
        defer { line.removeAll(keepingCapacity: true) }
        if isFirstLine {
            isFirstLine = false
            if line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        }
        guard !line.isEmpty else { return endEvent() }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.endIndex
        var value = line[colon...].dropFirst()
        if value.first == UInt8(ascii: " ") { value = value.dropFirst() }
        switch String(decoding: line[..<colon], as: UTF8.self) {
        case "event": type = String(decoding: value, as: UTF8.self)
        case "data":
            if hasData { data.append(UInt8(ascii: "\n")) }
            hasData = true
            data += value
        case "id":
            // It goes into a header again.
            if value.allSatisfy({ (0x20...0x7E).contains($0) }) {
                nextID = String(decoding: value, as: UTF8.self)
            }
        case "retry":
            if let number = Int(String(decoding: value, as: UTF8.self)), number >= 0 {
                retryMilliseconds = number
            }
        default: break
        }
        return nil
    }

    private mutating func endEvent() -> StreamedEvent? {
        defer {
            type = ""
            data = []
            hasData = false
        }
        // Only now: what a break cut short must come again.
        lastID = nextID
        guard hasData else { return nil }
        return StreamedEvent(
            id: lastID,
            type: type.isEmpty ? "message" : type,
            data: String(decoding: data, as: UTF8.self)
        )
    }
}
