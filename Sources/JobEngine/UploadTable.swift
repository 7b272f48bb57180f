internal import MigrationCore
internal import StateTransfer
internal import Synchronization

/// The images that come in: those whose upload is under way, and those whose upload broke off; with
/// them those that go, whose names are not free before their files are gone.
final class UploadTable: Sendable {
    private enum Stage {
        case underWay
        /// Somebody removes what there is of it, or the whole image.
        case leaving
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

    /// Takes an image for an upload, and returns what there was of it; those whose time is over hold
    /// no place.
    ///
    /// Bytes from the first on replace what there is. Throws `image-busy` while another upload of it
    /// is under way, `upload-offset` when the part does not begin where what is there ends, and
    /// `overloaded`.
    func begin(
        _ id: ImageID,
        _ part: Part,
        at now: Timestamp
    ) throws(Problem) -> ImageDirectory.Upload? {
        let answer: Result<ImageDirectory.Upload?, Problem> = stages.withLock { stages in
            do throws(Problem) {
                try check(id, part, stages[id])
                let others = stages.filter { $0.key != id && holdsPlace($0.value, at: now) }
                if others.count >= limit { throw full(others.keys.sorted()) }
            } catch {
                return .failure(error)
            }
            var before: ImageDirectory.Upload?
            if case .brokenOff(let upload)? = stages[id] { before = upload }
            stages[id] = .underWay
            return .success(before)
        }
        return try answer.get()
    }

    /// Takes an upload whose time is over for the caller to remove, so that none of its image begins
    /// until that is done; nil when there is none.
    func takeOver(at now: Timestamp) -> ImageID? {
        stages.withLock { stages in
            guard let id = stages.first(where: { isOver($0.value, at: now) })?.key else {
                return nil
            }
            stages[id] = .leaving
            return id
        }
    }

    /// The upload under way broke off, and left so much; nil when nothing.
    func breakOff(_ id: ImageID, _ upload: ImageDirectory.Upload?) {
        stages.withLock { $0[id] = upload.map { .brokenOff($0) } }
    }

    /// The upload under way came to its end, whichever.
    func end(_ id: ImageID) { stages.withLock { $0[id] = nil } }

    /// Takes an image for the caller to remove, so that no upload of it begins until that is done;
    /// true when there is what an upload left.
    ///
    /// Throws `image-busy` while an upload is under way, and while it is being removed.
    func takeAway(_ id: ImageID) throws(Problem) -> Bool {
        let (stage, busy) = stages.withLock { stages in
            let stage = stages[id]
            let busy = Self.busy(id, stage)
            if busy == nil { stages[id] = .leaving }
            return (stage, busy)
        }
        if let busy { throw busy }
        return stage != nil
    }

    /// Why the files of an image are nobody else's now; nil when they are free.
    func busy(_ id: ImageID) -> Problem? { Self.busy(id, stages.withLock { $0[id] }) }

    /// Throws `image-not-ready` with how much there is of an image that comes in.
    func checkNoUpload(of id: ImageID) throws(Problem) {
        var facts = Problem.Facts()
        facts.image = id
        switch stages.withLock({ $0[id] }) {
        case nil, .leaving: return
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

    private func holdsPlace(_ stage: Stage, at now: Timestamp) -> Bool {
        if case .leaving = stage { false } else { !isOver(stage, at: now) }
    }

    private func isOver(_ stage: Stage, at now: Timestamp) -> Bool {
        guard case .brokenOff(let upload) = stage else { return false }
        let age = now.millisecondsSinceEpoch - upload.writtenAt.millisecondsSinceEpoch
        return age > patienceMilliseconds
    }

    private func check(_ id: ImageID, _ part: Part, _ stage: Stage?) throws(Problem) {
        if let busy = Self.busy(id, stage) { throw busy }
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

    private static func busy(_ id: ImageID, _ stage: Stage?) -> Problem? {
        var facts = Problem.Facts()
        facts.image = id
        switch stage {
        case nil, .brokenOff: return nil
        case .underWay:
            return Problem(.imageBusy, "An upload of image \(id) is under way.", facts)
        case .leaving:
            facts.retryAfterSeconds = 1
            return Problem(.imageBusy, "Image \(id) is being removed.", facts)
        }
    }
}
