import APISchema
import JSONCoding
import MigrationCore
import Testing

@testable import ManagementAPI

/// What a transport does with bodies that come bit by bit, for tests without one.
extension EngineUnderTest {
    /// Reads a streamed answer to its end; nil when it fails on the way.
    func drain(_ response: APIResponse, by count: Int = 4096) async throws -> [UInt8]? {
        guard case .streamed(let body) = response.content else { return response.body }
        defer { body.didEnd() }
        var bytes: [UInt8] = []
        while true {
            switch await next(of: body, count) {
            case .bytes(let some):
                #expect((1...count).contains(some.count))
                bytes += some
            case .end:
                #expect(body.byteCount == UInt64(bytes.count))
                return bytes
            case .failed: return nil
            }
        }
    }

    private enum Next: Sendable {
        case bytes([UInt8])
        case end
        case failed
    }

    /// Asks until there is an answer other than `later`, each time when the body says so.
    private func next(of body: any StreamedBody, _ count: Int) async -> Next {
        while true {
            let next: Next? = await withCheckedContinuation { continuation in
                var buffer = [UInt8](repeating: 0, count: count)
                let answer = unsafe buffer.withUnsafeMutableBytes { bytes in
                    unsafe body.read(into: bytes) { continuation.resume(returning: nil) }
                }
                switch answer {
                case .bytes(let count):
                    continuation.resume(returning: .bytes(Array(buffer[..<count])))
                case .end: continuation.resume(returning: .end)
                case .failed: continuation.resume(returning: .failed)
                case .later: break
                }
            }
            if let next { return next }
        }
    }

    /// What the API does with the body of a PUT of an image's content.
    func handling(
        _ id: String,
        _ headers: [(name: String, value: String)] = []
    ) -> BodyHandling {
        api.bodyHandling(
            for: APIRequest(
                method: "PUT",
                rawPath: "/v1/images/\(id)/content",
                rawQuery: nil,
                headers: headers,
                body: [],
                caller: .local(uid: 1000, pid: 1)
            )
        )
    }

    /// Uploads bytes as a transport would; the answer is held against the contract's statuses.
    func upload(
        _ bytes: [UInt8],
        as id: String,
        _ headers: [(name: String, value: String)]? = nil,
        by part: Int = 60_000
    ) async throws -> APIResponse {
        let length = [("content-length", "\(bytes.count)")]
        let response: APIResponse
        switch handling(id, headers ?? length) {
        case .collect: throw Problem(.internalError, "It would be collected.")
        case .refuse(let refusal): response = refusal
        case .stream(let sink, _):
            if let refusal = await feed(bytes, to: sink, by: part) {
                sink.abandon()
                response = refusal
            } else {
                response = await withCheckedContinuation { continuation in
                    sink.finish { continuation.resume(returning: $0) }
                }
            }
        }
        let route = Endpoint.uploadImageContent.route
        let allowed = [route.success, 400, 503] + route.refusals
        #expect(allowed.contains(response.status), "\(response.status)")
        return response
    }

    /// Gives bytes to a sink, each part when the sink takes it; the refusal, if there is one.
    func feed(
        _ bytes: [UInt8],
        to sink: any RequestBodySink,
        by part: Int = 60_000
    ) async -> APIResponse? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let next = rest.prefix(part)
            let answer: SinkAnswer? = await withCheckedContinuation { continuation in
                let answer = unsafe next.withUnsafeBytes { bytes in
                    unsafe sink.take(bytes) { continuation.resume(returning: nil) }
                }
                if case .later = answer { return }
                continuation.resume(returning: answer)
            }
            switch answer {
            case nil, .later?: continue
            case .taken?: rest = rest.dropFirst(next.count)
            case .refused(let response)?: return response
            }
        }
        return nil
    }

    func problem(of response: APIResponse) throws -> ProblemDTO {
        try JSONReader.decode(ProblemDTO.self, from: response.body, unknownFields: .refuse)
    }
}
