import APIClient
import Glibc
import HTTPServer
import ManagementAPI
import Synchronization
import Testing

/// A real HTTP server on a UNIX socket that gives made-up answers, in order.
final class MadeUpServer {
    let address: ServerAddress
    private let server: HTTPServer
    private let log: Log

    /// What was asked and what is to be answered.
    ///
    /// Its lock is a leaf.
    private final class Log: Sendable {
        let state: Mutex<(answers: [APIResponse], requests: [APIRequest])>

        init(_ answers: [APIResponse]) { state = Mutex((answers, [])) }

        func answer(_ request: APIRequest) -> APIResponse {
            state.withLock { state in
                state.requests.append(request)
                return state.answers.isEmpty
                    ? Answer.json("{}", status: 500) : state.answers.removeFirst()
            }
        }
    }

    init(_ answers: APIResponse...) throws {
        let path = "/tmp/ferry-client-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock"
        let log = Log(answers)
        self.log = log
        self.address = .unix(path: path)
        self.server = try HTTPServer(
            listener: ListenAddress("unix:\(path)"),
            handle: { request, reply in reply(log.answer(request)) },
            refuse: { refusal, request in
                ManagementAPI.response(to: refusal, rawPath: request.rawPath)
            }
        )
    }

    deinit { server.stop() }

    /// Everything the server was asked.
    var requests: [APIRequest] { log.state.withLock { $0.requests } }
}

/// Answers as a ferryd might give them.
enum Answer {
    static func json(_ text: String, status: Int = 200) -> APIResponse {
        APIResponse(
            status: status,
            headers: [("Content-Type", "application/json")],
            body: Array(text.utf8)
        )
    }

    static func problem(_ text: String, status: Int) -> APIResponse {
        APIResponse(
            status: status,
            headers: [("Content-Type", "application/problem+json")],
            body: Array(text.utf8)
        )
    }
}
