import Dispatch
import Glibc
import HTTPServer
import ManagementAPI
import Synchronization
import Testing

/// A server whose API is a few made-up paths.
///
/// `/held` answers when the test says so, `/later` from another thread, everything else at once
/// with what was asked, unless the test has an answer of its own.
final class ServerUnderTest: Sendable {
    typealias Reply = @Sendable (APIResponse) -> Void
    typealias Answers = @Sendable (APIRequest) -> APIResponse?

    let server: HTTPServer
    let requests: RequestLog
    var address: String { server.boundAddress }

    /// What the API saw.
    ///
    /// Its lock is a leaf.
    final class RequestLog: Sendable {
        private struct State {
            var seen: [String] = []
            var held: [Reply] = []
        }

        private let state = Mutex(State())
        private let arrived = DispatchSemaphore(value: 0)
        private let others = DispatchQueue(label: "other-thread")
        private let answers: Answers

        init(_ answers: @escaping Answers) { self.answers = answers }

        var seen: [String] { state.withLock { $0.seen } }

        /// Waits until a request to `/held` is there and takes its reply.
        func takeHeld() throws -> Reply {
            try #require(arrived.wait(timeout: .now() + 20) == .success)
            return state.withLock { $0.held.removeFirst() }
        }

        func handle(_ request: APIRequest, _ reply: @escaping Reply) {
            let description = Self.describe(request)
            state.withLock { $0.seen.append(description) }
            if let answer = answers(request) { return reply(answer) }
            switch request.rawPath {
            case "/held":
                state.withLock { $0.held.append(reply) }
                arrived.signal()
            case "/later":
                others.async { reply(Self.response(200, description)) }
            case "/big":
                reply(Self.response(200, String(repeating: "x", count: 300_000)))
            case "/empty":
                reply(APIResponse(status: 204, headers: [], body: []))
            default:
                reply(Self.response(200, description))
            }
        }

        static func response(_ status: Int, _ text: String) -> APIResponse {
            APIResponse(
                status: status,
                headers: [("Content-Type", "text/plain")],
                body: Array(text.utf8)
            )
        }

        private static func describe(_ request: APIRequest) -> String {
            let query = request.rawQuery.map { "?\($0)" } ?? ""
            let body = String(decoding: request.body.prefix(100), as: UTF8.self)
            return "\(request.method) \(request.rawPath)\(query) \(request.body.count):\(body)"
        }
    }

    init(
        _ listener: String = "tcp:127.0.0.1:0",
        options change: (inout HTTPServer.Options) -> Void = { _ in },
        answers: @escaping Answers = { _ in nil },
        openBody: @escaping HTTPServer.OpenBody = { _ in .collect }
    ) throws {
        var options = HTTPServer.Options()
        options.allowsAnonymousLoopback = true
        change(&options)
        let requests = RequestLog(answers)
        self.requests = requests
        self.server = try HTTPServer(
            listener: ListenAddress(listener),
            options: options,
            handle: { requests.handle($0, $1) },
            openBody: openBody,
            refuse: { Self.refuse($0, $1) }
        )
    }

    deinit { server.stop() }

    func connect() throws -> RawClient { try RawClient(address) }

    private static func refuse(_ refusal: TransportRefusal, _ request: RefusedRequest)
        -> APIResponse
    {
        let status =
            switch refusal {
            case .bodyTooLarge: 413
            case .headersTooLarge: 431
            case .unknownExpectation: 417
            case .foreignHost, .foreignOrigin: 403
            case .overloaded, .shuttingDown: 503
            default: 400
            }
        return APIResponse(
            status: status,
            headers: [("X-Refused", "yes")],
            body: Array("\(request.rawPath): \(refusal)".utf8)
        )
    }
}

/// A directory of its own, gone at the end.
final class ScratchDirectory {
    let path: String

    init() throws {
        var template = Array("/tmp/ferry-http-XXXXXX".utf8CString)
        let made = unsafe template.withUnsafeMutableBufferPointer {
            unsafe $0.baseAddress.flatMap { unsafe mkdtemp($0) }.map { unsafe String(cString: $0) }
        }
        path = try #require(made)
    }

    deinit {
        for name in ["s", "t"] { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
    }
}
