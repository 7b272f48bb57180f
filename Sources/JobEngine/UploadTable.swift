internal import MigrationCore
internal import StateTransfer
internal import Synchronization

/// The images that come in: those whose upload is under way, and those whose upload broke off.
final class UploadTable: Sendable {
    private enum Stage {
        /// Somebody writes its files, or removes them.
        case underWay
        case brokenOff(ImageDirectory.Upload)
    }

    /// What a sender says of the bytes it is about to send.
    struct Part: Hashable, Sendable {
        /// Where they begin in the archive.
        let offset: UInt64
        /// Bytes of the whole archive; nil when it is not known.
        let wholeByteCount: UInt64?
    }

    private let limit: Int
    private let patienceMilliseconds: Int64
    /// Guards the table.
    ///
    /// A leaf.
    private let stages = Mutex<[ImageID: Stage]>([:])

    init(limit: Int, hours: Int) {
        self.limit = limit
        patienceMilliseconds = Int64(hours) * 3_600_000
    }

    func insert(_ uploads: [ImageDirectory.Upload]) {
        stages.withLock { stages in
            for upload in uploads { stages[upload.id] = .brokenOff(upload) }
        }
    }

    /// Takes an image for an upload; those whose time is over hold no place.
    ///
    /// Bytes from the first on replace what there is. Throws `image-busy` while another upload of it
    /// is under way, `upload-offset` when the part does not begin where what is there ends, and
    /// `overloaded`.
    func begin(_ id: ImageID, _ part: Part, at now: Timestamp) throws(Problem) {
        let answer: Result<Void, Problem> = stages.withLock { stages in
            do throws(Problem) {
                try check(id, part, stages[id])
                if stages[id] == nil, stages.values.count(where: { !isOver($0, at: now) }) >= limit {
                    throw full(stages.keys.sorted())
                }
            } catch {
                return .failure(error)
            }
            stages[id] = .underWay
            return .success(())
        }
        try answer.get()
    }

    /// Takes an upload whose time is over for the caller to remove, so that none of its image begins
    /// until that is done; nil when there is none.
    func takeOver(at now: Timestamp) -> ImageID? {
        stages.withLock { stages in
            guard let id = stages.first(where: { isOver($0.value, at: now) })?.key else {
                return nil
            }
            stages[id] = .underWay
            return id
        }
    }

    /// The upload under way broke off, and left so much; nil when nothing.
    func breakOff(_ id: ImageID, _ upload: ImageDirectory.Upload?) {
        stages.withLock { $0[id] = upload.map { .brokenOff($0) } }
    }

    /// The upload under way came to its end, whichever.
    func end(_ id: ImageID) { stages.withLock { $0[id] = nil } }

    /// Takes what an upload left for the caller to remove, so that no other begins until that is
    /// done; false when there is nothing.
    ///
    /// Throws `image-busy` while it is under way.
    func takeAway(_ id: ImageID) throws(Problem) -> Bool {
        let stage = stages.withLock { stages in
            let stage = stages[id]
            if case .brokenOff? = stage { stages[id] = .underWay }
            return stage
        }
        switch stage {
        case nil: return false
        case .brokenOff: return true
        case .underWay: throw Self.busy(id)
        }
    }

    /// Whether somebody writes the files of an image that comes in, or removes them.
    func isUnderWay(_ id: ImageID) -> Bool {
        if case .underWay? = stages.withLock({ $0[id] }) { true } else { false }
    }

    /// Throws `image-not-ready` with how much there is of an image that comes in.
    func checkNoUpload(of id: ImageID) throws(Problem) {
        guard let stage = stages.withLock({ $0[id] }) else { return }
        var facts = Problem.Facts()
        facts.image = id
        switch stage {
        case .underWay:
            throw Problem(.imageNotReady, "Image \(id) is being uploaded.", facts)
        case .brokenOff(let upload):
            facts.receivedByteCount = upload.byteCount
            facts.byteCount = upload.wholeByteCount
            throw Problem(
                .imageNotReady,
                "The upload of image \(id) broke off after \(upload.byteCount) of "
                    + "\(upload.wholeByteCount) bytes.",
                facts
            )
        }
    }

    private func isOver(_ stage: Stage, at now: Timestamp) -> Bool {
        guard case .brokenOff(let upload) = stage else { return false }
        let age = now.millisecondsSinceEpoch - upload.writtenAt.millisecondsSinceEpoch
        return age > patienceMilliseconds
    }

    private func check(_ id: ImageID, _ part: Part, _ stage: Stage?) throws(Problem) {
        if case .underWay? = stage { throw Self.busy(id) }
        guard part.offset > 0 else { return }
        var facts = Problem.Facts()
        facts.image = id
        guard case .brokenOff(let upload)? = stage else {
            facts.receivedByteCount = 0
            throw Problem(
                .uploadOffset,
                "There is nothing of image \(id), and the part begins at byte \(part.offset).",
                facts
            )
        }
        let whole = part.wholeByteCount ?? upload.wholeByteCount
        guard part.offset == upload.byteCount, whole == upload.wholeByteCount else {
            facts.receivedByteCount = upload.byteCount
            facts.byteCount = upload.wholeByteCount
            throw Problem(
                .uploadOffset,
                "There are \(upload.byteCount) of \(upload.wholeByteCount) bytes of image \(id); the "
                    + "part begins at byte \(part.offset) of \(whole).",
                facts
            )
        }
    }

    private func full(_ ids: [ImageID]) -> Problem {
        var facts = Problem.Facts()
        facts.reasons = ids.map { "Image \($0) comes in, or its upload broke off." }
        facts.retryAfterSeconds = 60
        return Problem(
            .overloaded,
            "\(limit) images come in already; DELETE removes one whose upload broke off.",
            facts
        )
    }

    private static func busy(_ id: ImageID) -> Problem {
        var facts = Problem.Facts()
        facts.image = id
        return Problem(.imageBusy, "An upload of image \(id) is under way.", facts)
    }
}
