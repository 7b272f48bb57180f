internal import CCurl
internal import Glibc

/// One connection to a server, kept open between requests.
///
/// Every call blocks its thread. It belongs to one thread at a time.
@safe
final class CurlTransport {
    /// A request; the target is a path with its query, encoded.
    struct Request {
        let method: String
        let target: String
        let body: [UInt8]?
        /// The entity tag of what is to be changed.
        var ifMatch: String?
        /// How long the answer may take, in seconds.
        let timeoutSeconds: Int
    }

    struct Response {
        let status: Int
        let contentType: String?
        /// The entity tag of the document.
        let tag: String?
        let body: [UInt8]
    }

    /// More than the longest page of jobs.
    static let standardAnswerByteLimit = 64 << 20
    static let connectTimeoutSeconds = 10

    private let server: ServerAddress
    private let answerByteLimit: Int
    /// Made by `curl_easy_init`, freed in `deinit`, used nowhere else.
    private let handle: UnsafeMutableRawPointer

    init(
        server: ServerAddress,
        answerByteLimit: Int = standardAnswerByteLimit
    ) throws(ClientProblem) {
        guard Self.isReady, let handle = unsafe curl_easy_init() else {
            throw ClientProblem.unreachable(server: server, detail: "libcurl cannot be started.")
        }
        self.server = server
        self.answerByteLimit = answerByteLimit
        unsafe self.handle = handle
    }

    deinit { unsafe curl_easy_cleanup(handle) }

    func perform(_ request: Request) throws(ClientProblem) -> Response {
        // Keeps connections, forgets options.
        unsafe curl_easy_reset(handle)
        let answer = AnswerBuffer(limit: answerByteLimit)
        var headers = HeaderLines()
        try prepare(request, answer, &headers)
        let code = unsafe curl_easy_perform(handle)
        guard code == CURLE_OK else {
            guard !answer.isTooLong else {
                throw ClientProblem.notUnderstood(
                    status: status,
                    detail: "The answer is longer than \(answerByteLimit) bytes."
                )
            }
            throw unreachable(code)
        }
        return Response(
            status: status,
            contentType: contentType,
            tag: answer.tag,
            body: answer.bytes
        )
    }

    private func prepare(
        _ request: Request,
        _ answer: AnswerBuffer,
        _ headers: inout HeaderLines
    ) throws(ClientProblem) {
        try set(CURLOPT_URL, server.origin + request.target)
        if case .unix(let path) = server { try set(CURLOPT_UNIX_SOCKET_PATH, path) }
        // What the environment or a redirect says must not lead elsewhere.
        try set(CURLOPT_PROTOCOLS_STR, "http")
        try set(CURLOPT_NOPROXY, "*")
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_PATH_AS_IS, 1)
        try set(CURLOPT_NOSIGNAL, 1)
        try set(CURLOPT_CONNECTTIMEOUT, Self.connectTimeoutSeconds)
        try set(CURLOPT_TIMEOUT, request.timeoutSeconds)
        try set(CURLOPT_USERAGENT, "ferryctl")
        if request.method == "POST" || request.method == "PUT" {
            try setBody(request.body ?? [], &headers)
        }
        if let tag = request.ifMatch { headers.append("If-Match: \(tag)") }
        try set(CURLOPT_CUSTOMREQUEST, request.method)
        try check(unsafe ferry_curl_set_headers(handle, headers.list))
        try check(unsafe ferry_curl_set_writer(handle, appendAnswer))
        let context = unsafe Unmanaged.passUnretained(answer).toOpaque()
        try check(unsafe ferry_curl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        try check(unsafe ferry_curl_set_header_reader(handle, noteHeader))
        try check(unsafe ferry_curl_set_pointer(handle, CURLOPT_HEADERDATA, context))
    }

    private func setBody(
        _ body: [UInt8],
        _ headers: inout HeaderLines
    ) throws(ClientProblem) {
        // libcurl adds a type of its own unless told.
        headers.append(body.isEmpty ? "Content-Type:" : "Content-Type: application/json")
        // Bodies are small: asking first would cost a round trip.
        headers.append("Expect:")
        try set(CURLOPT_POSTFIELDSIZE, body.count)
        // The byte after the body is not sent; it keeps the address of an empty one from being nil,
        // for which libcurl would read stdin.
        let copied = unsafe (body + [0]).withUnsafeBytes {
            unsafe ferry_curl_set_body(handle, $0.baseAddress)
        }
        try check(copied)
    }

    private func set(_ option: CURLoption, _ value: String) throws(ClientProblem) {
        try check(unsafe ferry_curl_set_string(handle, option, value))
    }

    private func set(_ option: CURLoption, _ value: Int) throws(ClientProblem) {
        try check(unsafe ferry_curl_set_long(handle, option, value))
    }

    private func check(_ code: CURLcode) throws(ClientProblem) {
        guard code == CURLE_OK else { throw unreachable(code) }
    }

    private func unreachable(_ code: CURLcode) -> ClientProblem {
        let text = unsafe String(cString: curl_easy_strerror(code))
        var number = 0
        unsafe ferry_curl_get_errno(handle, &number)
        let cause = number == 0 ? "" : ": \(unsafe String(cString: strerror(Int32(number))))"
        return .unreachable(server: server, detail: "\(text)\(cause).")
    }

    private var status: Int {
        var status = 0
        unsafe ferry_curl_get_status(handle, &status)
        return status
    }

    private var contentType: String? {
        var text: UnsafePointer<CChar>?
        unsafe ferry_curl_get_content_type(handle, &text)
        return unsafe text.map { unsafe String(cString: $0) }
    }

    /// libcurl's process-wide state: made once, before the first handle.
    private static let isReady = curl_global_init(Int(CURL_GLOBAL_NOTHING)) == CURLE_OK
}

/// What arrived of an answer, up to a limit.
private final class AnswerBuffer {
    private(set) var bytes: [UInt8] = []
    private(set) var isTooLong = false
    private(set) var tag: String?
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    /// Takes one line of the head; only the entity tag matters here.
    func note(_ line: String) {
        let name = "etag:"
        guard line.lowercased().hasPrefix(name) else { return }
        tag = String(
            line.dropFirst(name.count).drop { $0 == " " }.prefix { !$0.isNewline }
        )
    }

    /// False when there is no room.
    func append(_ more: UnsafeRawBufferPointer) -> Bool {
        guard more.count <= limit - bytes.count else {
            isTooLong = true
            return false
        }
        unsafe bytes.append(contentsOf: more)
        return true
    }
}

/// Headers as libcurl takes them; freed with the value.
@safe
private struct HeaderLines: ~Copyable {
    /// Made by `curl_slist_append`, owned alone.
    private(set) var list: UnsafeMutablePointer<curl_slist>?

    mutating func append(_ line: String) {
        if let longer = unsafe curl_slist_append(list, line) { unsafe list = longer }
    }

    deinit { unsafe curl_slist_free_all(list) }
}

/// libcurl's write callback: a count other than the given one ends the transfer.
private func appendAnswer(
    _ data: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else { return 0 }
    let answer = unsafe Unmanaged<AnswerBuffer>.fromOpaque(context).takeUnretainedValue()
    let (byteCount, overflow) = size.multipliedReportingOverflow(by: count)
    guard !overflow else { return 0 }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: byteCount)
    return unsafe answer.append(bytes) ? byteCount : 0
}

/// libcurl's header callback: one call a line.
private func noteHeader(
    _ data: UnsafeMutablePointer<CChar>?,
    _ size: Int,
    _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data = unsafe data, let context = unsafe context else { return 0 }
    let answer = unsafe Unmanaged<AnswerBuffer>.fromOpaque(context).takeUnretainedValue()
    let (byteCount, overflow) = size.multipliedReportingOverflow(by: count)
    guard !overflow else { return 0 }
    let bytes = unsafe UnsafeRawBufferPointer(start: data, count: byteCount)
    answer.note(unsafe String(decoding: bytes, as: UTF8.self))
    return byteCount
}
