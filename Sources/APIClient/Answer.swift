/// The status line and the headers of an answer.
struct AnswerHead: Hashable, Sendable {
    fileprivate(set) var status = 0
    /// By their names in lower case; the first of several of one name counts.
    fileprivate(set) var headers: [String: String] = [:]

    /// The entity tag of the document.
    var tag: String? { headers["etag"] }
    var contentType: String? { headers["content-type"] }
}

/// Takes the body of a success bit by bit, on the thread of the call.
protocol AnswerSink: AnyObject {
    /// The head; called once, before the body. False ends the transfer.
    func begin(_ head: AnswerHead) -> Bool
    /// Bytes of the body. False ends the transfer.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool
}

/// What arrives of an answer.
final class Answer {
    /// Lines of a head that are looked at.
    static let headerLimit = 200

    private(set) var head = AnswerHead()
    private(set) var bytes: [UInt8] = []
    private(set) var isTooLong = false
    /// Whether the sink wanted no more.
    private(set) var wasStopped = false
    private var hasBegun = false
    private let limit: Int
    private let sink: (any AnswerSink)?

    init(limit: Int, sink: (any AnswerSink)?) {
        self.limit = limit
        self.sink = sink
    }

    /// Takes one line of a head; what came before the last head was an interim answer (100).
    func note(_ line: String) -> Bool {
        if line.hasPrefix("HTTP/") {
            let words = line.split(separator: " ")
            head = AnswerHead(status: words.count > 1 ? Int(words[1].prefix(3)) ?? 0 : 0)
            return true
        }
        guard let colon = line.firstIndex(of: ":") else { return true }
        guard head.headers.count < Self.headerLimit else {
            isTooLong = true
            return false
        }
        let name = line[..<colon].lowercased()
        let value = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            .prefix { !$0.isNewline }
        if head.headers[name] == nil { head.headers[name] = String(value) }
        return true
    }

    /// False when there is no room, or no wish for more.
    func append(_ more: UnsafeRawBufferPointer) -> Bool {
        guard let sink, (200..<300).contains(head.status) else {
            guard more.count <= limit - bytes.count else {
                isTooLong = true
                return false
            }
            unsafe bytes.append(contentsOf: more)
            return true
        }
        let wantsMore = unsafe begin(sink) && sink.take(more)
        wasStopped = !wantsMore
        return wantsMore
    }

    /// Tells a sink of the head of an answer without a body.
    func finish() {
        guard let sink, !wasStopped, (200..<300).contains(head.status) else { return }
        wasStopped = !begin(sink)
    }

    private func begin(_ sink: any AnswerSink) -> Bool {
        guard !hasBegun else { return true }
        hasBegun = true
        return sink.begin(head)
    }
}

/// libcurl's write callback: a count other than the given one ends the transfer.
func appendAnswer(
    _ data: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else { return 0 }
    let answer = unsafe Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue()
    let (byteCount, overflow) = size.multipliedReportingOverflow(by: count)
    guard !overflow else { return 0 }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: byteCount)
    return unsafe answer.append(bytes) ? byteCount : 0
}

/// libcurl's header callback: one call a line.
func noteHeader(
    _ data: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else { return 0 }
    let answer = unsafe Unmanaged<Answer>.fromOpaque(context).takeUnretainedValue()
    let (byteCount, overflow) = size.multipliedReportingOverflow(by: count)
    guard !overflow else { return 0 }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: byteCount)
    return answer.note(unsafe String(decoding: bytes, as: UTF8.self)) ? byteCount : 0
}
