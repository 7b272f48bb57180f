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
        var headers: [(name: String, value: String)] = []
        var body: Body = .none
        var patience: Patience
    }

    enum Body {
        case none
        /// A JSON document.
        case document([UInt8])
        /// Bytes of a file, read as the server takes them; their type and how many.
        case stream(any BodySource, type: String, byteCount: Int64)
    }

    /// How long the server may take.
    enum Patience {
        /// For the whole answer, in seconds.
        case whole(seconds: Int)
        /// Between one part of a stream and the next, in seconds.
        case betweenParts(seconds: Int)
    }

    struct Response {
        let head: AnswerHead
        /// Empty when a sink took it.
        let body: [UInt8]

        var status: Int { head.status }
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

    /// Makes a request and waits for its answer.
    ///
    /// The body of a success goes to the sink, if there is one, and is collected up to a limit
    /// otherwise, as that of a refusal is. A sink that wants no more ends the transfer, and that is
    /// no failure.
    func perform(
        _ request: Request,
        into sink: (any AnswerSink)? = nil
    ) throws(ClientProblem) -> Response {
        // Keeps connections, forgets options.
        unsafe curl_easy_reset(handle)
        let answer = Answer(limit: answerByteLimit, sink: sink)
        let upload: Upload? =
            if case .stream(let source, _, _) = request.body { Upload(source) } else { nil }
        var headers = HeaderLines()
        try prepare(request, answer, upload, &headers)
        let code = unsafe curl_easy_perform(handle)
        guard code == CURLE_OK || answer.wasStopped else {
            if let failure = upload?.failure { throw failure }
            guard !answer.isTooLong else {
                throw ClientProblem.notUnderstood(
                    status: answer.head.status,
                    detail: "The answer is longer than it may be: "
                        + "\(answerByteLimit) bytes, \(Answer.headerLimit) header lines."
                )
            }
            throw broken(code)
        }
        answer.finish()
        return Response(head: answer.head, body: answer.bytes)
    }

    private func prepare(
        _ request: Request,
        _ answer: Answer,
        _ upload: Upload?,
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
        switch request.patience {
        case .whole(let seconds): try set(CURLOPT_TIMEOUT, seconds)
        case .betweenParts(let seconds):
            try set(CURLOPT_LOW_SPEED_LIMIT, 1)
            try set(CURLOPT_LOW_SPEED_TIME, seconds)
        }
        try set(CURLOPT_USERAGENT, "ferryctl")
        try setBody(request, upload, &headers)
        for (name, value) in request.headers { headers.append("\(name): \(value)") }
        if request.method == "HEAD" {
            try set(CURLOPT_NOBODY, 1)
        } else {
            try set(CURLOPT_CUSTOMREQUEST, request.method)
        }
        try check(unsafe ferry_curl_set_headers(handle, headers.list))
        try check(unsafe ferry_curl_set_writer(handle, appendAnswer))
        let context = unsafe Unmanaged.passUnretained(answer).toOpaque()
        try check(unsafe ferry_curl_set_pointer(handle, CURLOPT_WRITEDATA, context))
        try check(unsafe ferry_curl_set_header_reader(handle, noteHeader))
        try check(unsafe ferry_curl_set_pointer(handle, CURLOPT_HEADERDATA, context))
    }

    private func setBody(
        _ request: Request,
        _ upload: Upload?,
        _ headers: inout HeaderLines
    ) throws(ClientProblem) {
        switch request.body {
        case .none:
            if request.method == "POST" || request.method == "PUT" { try setBody([], &headers) }
        case .document(let bytes): try setBody(bytes, &headers)
        case .stream(_, let type, let byteCount):
            guard let upload else { return }
            headers.append("Content-Type: \(type)")
            // A connection that turns out to be dead would want the body again from its start.
            try set(CURLOPT_FRESH_CONNECT, 1)
            try set(CURLOPT_UPLOAD, 1)
            try check(unsafe ferry_curl_set_upload_size(handle, curl_off_t(byteCount)))
            try check(unsafe ferry_curl_set_reader(handle, readUpload))
            let context = unsafe Unmanaged.passUnretained(upload).toOpaque()
            try check(unsafe ferry_curl_set_pointer(handle, CURLOPT_READDATA, context))
        }
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
        guard code == CURLE_OK else { throw broken(code) }
    }

    /// What a failed transfer means: whether anything was sent decides.
    private func broken(_ code: CURLcode) -> ClientProblem {
        let text = unsafe String(cString: curl_easy_strerror(code))
        var number = 0
        unsafe ferry_curl_get_errno(handle, &number)
        let cause = number == 0 ? "" : ": \(unsafe String(cString: strerror(Int32(number))))"
        var sentBytes = 0
        unsafe ferry_curl_get_request_size(handle, &sentBytes)
        let detail = "\(text)\(cause)."
        return sentBytes > 0
            ? .interrupted(server: server, detail: detail)
            : .unreachable(server: server, detail: detail)
    }

    /// libcurl's process-wide state: made once, before the first handle.
    private static let isReady = curl_global_init(Int(CURL_GLOBAL_NOTHING)) == CURLE_OK
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
