internal import APIClient
internal import APISchema

/// Moves the content of an image, and goes on after the connection broke.
struct ContentTransfer {
    /// How often in a row it is tried again without a byte more, with a longer pause each time.
    private static let retryLimit = 5

    let client: APIClient
    let printer: Printer
    var pause: (Int) -> Void = APIClient.pauseThread

    /// Downloads an image into a file, or to stdout for `-`; what an earlier download of the same
    /// content left is not fetched again.
    func download(_ id: String, to path: String) throws(ClientProblem) -> Int64 {
        let line = ProgressLine()
        defer { line.clear() }
        let content = try client.content(ofImage: id)
        let file = try DownloadFile(
            path: path,
            tag: content.tag,
            byteCount: content.byteCount
        ) { offset in
            line.show("\(id)  \(bytes(offset)) of \(bytes(content.byteCount))")
        }
        try untilDone(file) { () throws(ClientProblem) in
            // What is there whole cannot be asked for: its range would be empty.
            guard file.offset < content.byteCount else { return }
            _ = try client.downloadImage(id, from: file.offset, ofContent: content.tag, into: file)
        }
        guard file.offset == content.byteCount else {
            throw .notUnderstood(
                status: 200,
                detail: "The content ended after \(file.offset) bytes of \(content.byteCount)."
            )
        }
        try file.finish()
        return file.offset
    }

    /// Uploads a file as an image; from where the server is, when that is wanted or it broke off.
    func upload(_ path: String, as id: String, resume: Bool) throws(ClientProblem) -> ImageDTO {
        let line = ProgressLine()
        defer { line.clear() }
        let total = Total()
        let file = try UploadFile(path: path) { offset in
            line.show("\(id)  \(bytes(offset)) of \(bytes(total.byteCount))")
        }
        total.byteCount = file.byteCount
        var asksFirst = resume
        var image: ImageDTO?
        try untilDone(file) { () throws(ClientProblem) in
            var offset: Int64 = 0
            if asksFirst {
                switch try client.upload(ofImage: id) {
                case .none: offset = 0
                case .partial(let received): offset = received
                case .whole:
                    image = try client.image(id)
                    return
                }
            }
            asksFirst = true
            try file.seek(to: offset)
            image = try client.uploadImage(id, from: offset, of: file.byteCount, source: file)
        }
        guard let image else {
            throw .notUnderstood(status: 200, detail: "The upload has no image.")
        }
        return image
    }

    /// Does work again after each break, as long as it comes on.
    private func untilDone(
        _ file: some Positioned,
        _ work: () throws(ClientProblem) -> Void
    ) throws(ClientProblem) {
        var retries = 0
        var reached: Int64 = 0
        while true {
            do throws(ClientProblem) {
                return try work()
            } catch {
                guard case .interrupted = error else {
                    // The server may not have noticed the break yet.
                    guard error.isBreak || error.isStillReceived, retries > 0 else { throw error }
                    retries += 1
                    guard retries <= Self.retryLimit else { throw error }
                    pause(500 << retries)
                    continue
                }
                retries = file.offset > reached ? 1 : retries + 1
                reached = max(reached, file.offset)
                guard retries <= Self.retryLimit else { throw error }
                printer.note("the connection broke; going on")
                pause(500 << (retries - 1))
            }
        }
    }

    private final class Total {
        var byteCount: Int64 = 0
    }
}

extension ClientProblem {
    /// Whether an upload of the image is under way.
    fileprivate var isStillReceived: Bool {
        guard case .refused(let problem) = self else { return false }
        return problem.code == "image-busy"
            || problem.code == "image-not-ready" && problem.receivedBytes == nil
    }
}
