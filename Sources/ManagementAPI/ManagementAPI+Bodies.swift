internal import JobEngine
internal import MigrationCore

extension ManagementAPI {
    /// What is to become of the body of a request whose head is there: most are collected, the
    /// content of an image goes to the disk as it comes.
    ///
    /// Never blocks. What can be refused by the head and memory alone is, before the body is sent.
    package func bodyHandling(for request: APIRequest) -> BodyHandling {
        guard request.method == Route.Method.put.rawValue,
            let target = try? targets.target(of: request), target.body == .archive
        else { return .collect }
        var answer = PendingAnswer(to: request, of: self)
        answer.didRoute(target)
        do throws(Problem) {
            return .stream(
                try uploadSink(for: request, target, answer),
                byteLimit: engine.configuration.imageByteLimit
            )
        } catch {
            return .refuse(answer.settled { () throws(Problem) in throw error })
        }
    }

    private func uploadSink(
        for request: APIRequest,
        _ target: RoutedTarget,
        _ answer: PendingAnswer
    ) throws(Problem) -> UploadSink {
        guard let id = ImageID(target.pathVariable) else {
            throw Problem(.notFound, "No image can have this name.")
        }
        try Self.requireArchive(request.header("content-type"))
        let (offset, wholeByteCount) = try Self.extent(of: request)
        let upload = try engine.beginUpload(of: id, from: offset, wholeByteCount: wholeByteCount)
        return UploadSink(upload) { [images] result in
            answer.settled { () throws(Problem) in
                .document(
                    text: try images.response(for: result.get()).body,
                    status: 201,
                    headers: [("Location", "/v1/images/\(id.text)")]
                )
            }
        }
    }

    private static func requireArchive(_ contentType: String?) throws(Problem) {
        let media = contentType?.prefix { $0 != ";" }.lowercased()
        switch media {
        case nil, "application/x-tar", "application/octet-stream": return
        default:
            throw Problem(
                .unsupportedMediaType,
                "The body must be application/x-tar: what GET of the same resource gave."
            )
        }
    }

    /// Where the body begins in the archive, and how many bytes that has, if the head says.
    private static func extent(
        of request: APIRequest
    ) throws(Problem) -> (offset: UInt64, wholeByteCount: UInt64?) {
        let length = request.header("content-length").flatMap { UInt64($0) }
        guard let text = request.header("content-range") else { return (0, length) }
        guard let range = ContentRange(text) else {
            throw Problem(.badRequest, "Content-Range must be \"bytes FIRST-LAST/WHOLE\".")
        }
        guard range.last == range.byteCount - 1 else {
            throw Problem(.badRequest, "A part goes on to the end: LAST is WHOLE - 1.")
        }
        if let length, length != range.byteCount - range.first {
            throw Problem(.badRequest, "Content-Length and Content-Range contradict each other.")
        }
        return (range.first, range.byteCount)
    }
}
