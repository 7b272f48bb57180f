package import APISchema

/// Takes what is downloaded, on the thread of the call.
package protocol ContentSink: AnyObject {
    /// The content comes from this offset on: 0 when the server gives all of it again.
    func begin(at offset: Int64) throws(ClientProblem)
    func write(_ bytes: UnsafeRawBufferPointer) throws(ClientProblem)
}

/// How far an image is that comes in.
package enum UploadState: Hashable, Sendable {
    /// Nothing of it is there.
    case none
    /// So many bytes are.
    case partial(Int64)
    /// All of it is: it is an image.
    case whole
}

/// The content of images: long streams, whose breaks are for the caller to mend.
extension APIClient {
    /// How long the server may take to give or take the next bytes, in seconds: at the end of an
    /// upload it makes an image durable.
    private static let stallSeconds = 120

    /// Whether an image is whole and as it was saved: every byte of it is read.
    package func verifyImage(_ id: String) throws(ClientProblem) -> ImageVerificationDTO {
        let response = try perform(
            CurlTransport.Request(
                method: "POST",
                target: path("images", id) + "/verify",
                // No longer than the disk needs for all of it, which nobody knows.
                patience: .whole(seconds: 24 * 3600)
            )
        )
        return try Self.document(in: response)
    }

    /// Writes an image's content into a sink, from an offset on.
    ///
    /// The tag names the very content the bytes before the offset are of; with another one all of
    /// it comes from the start.
    /// - Returns: the tag of the content.
    package func downloadImage(
        _ id: String,
        from offset: Int64 = 0,
        ofContent tag: String? = nil,
        into sink: any ContentSink
    ) throws(ClientProblem) -> String? {
        let receiver = ContentReceiver(sink, from: offset)
        var headers: [(name: String, value: String)] = []
        if offset > 0 {
            headers.append(("Range", "bytes=\(offset)-"))
            if let tag { headers.append(("If-Range", tag)) }
        }
        let request = CurlTransport.Request(
            method: "GET",
            target: contentPath(id),
            headers: headers,
            patience: .betweenParts(seconds: Self.stallSeconds)
        )
        let response: CurlTransport.Response
        do throws(ClientProblem) {
            response = try perform(request, into: receiver)
        } catch {
            throw receiver.problem ?? error
        }
        if let problem = receiver.problem { throw problem }
        return response.head.tag
    }

    /// Sends an image's content, from an offset on, up to its length in all.
    package func uploadImage(
        _ id: String,
        from offset: Int64,
        of byteCount: Int64,
        source: any BodySource
    ) throws(ClientProblem) -> ImageDTO {
        let range = "bytes \(offset)-\(byteCount - 1)/\(byteCount)"
        let response = try perform(
            CurlTransport.Request(
                method: "PUT",
                target: contentPath(id),
                headers: offset > 0 ? [("Content-Range", range)] : [],
                body: .stream(source, type: "application/x-tar", byteCount: byteCount - offset),
                patience: .betweenParts(seconds: Self.stallSeconds)
            )
        )
        return try Self.document(in: response)
    }

    /// The tag and the length of an image's content.
    package func content(
        ofImage id: String
    ) throws(ClientProblem) -> (tag: String?, byteCount: Int64) {
        let head: AnswerHead
        do throws(ClientProblem) {
            head = try send("HEAD", contentPath(id)).head
        } catch {
            // The refusal of a HEAD has no body to say why.
            guard case .notUnderstood(400..<500, _) = error else { throw error }
            _ = try send("GET", contentPath(id), headers: [("Range", "bytes=0-0")])
            throw error
        }
        guard let text = head.headers["content-length"], let count = Int64(text), count > 0 else {
            throw .notUnderstood(status: head.status, detail: "The content has no length.")
        }
        return (head.tag, count)
    }

    /// How far an upload of an image is.
    package func upload(ofImage id: String) throws(ClientProblem) -> UploadState {
        // One byte is asked for, in case the image is whole.
        do throws(ClientProblem) {
            try send("GET", contentPath(id), headers: [("Range", "bytes=0-0")])
            return .whole
        } catch {
            guard case .refused(let problem) = error else { throw error }
            if problem.status == 404 { return .none }
            guard let received = problem.receivedBytes, received >= 0 else { throw error }
            return .partial(received)
        }
    }

    private func contentPath(_ id: String) -> String { path("images", id) + "/content" }
}

/// Checks where the content begins before it is written.
private final class ContentReceiver: AnswerSink {
    private let sink: any ContentSink
    private let wantedOffset: Int64
    private(set) var problem: ClientProblem?

    init(_ sink: any ContentSink, from offset: Int64) {
        self.sink = sink
        self.wantedOffset = offset
    }

    func begin(_ head: AnswerHead) -> Bool {
        let offset: Int64
        switch (head.status, head.headers["content-range"]) {
        case (200, _): offset = 0
        case (206, let range?) where range.hasPrefix("bytes \(wantedOffset)-"):
            offset = wantedOffset
        default:
            problem = .notUnderstood(
                status: head.status,
                detail: "The answer is not the part of the content that was asked for."
            )
            return false
        }
        return attempt { () throws(ClientProblem) in try sink.begin(at: offset) }
    }

    func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        attempt { () throws(ClientProblem) in try unsafe sink.write(bytes) }
    }

    private func attempt(_ work: () throws(ClientProblem) -> Void) -> Bool {
        do throws(ClientProblem) {
            try work()
            return true
        } catch {
            problem = error
            return false
        }
    }
}
