internal import Dispatch
package import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

/// The content of images: out, in, and verified where it lies.
extension Engine {
    /// Opens an image to be read as an archive.
    ///
    /// Blocking. Throws `not-found`, `image-not-ready`, `image-corrupt` when its files are not those
    /// of the record, and `overloaded`.
    package func download(_ id: ImageID) throws(Problem) -> ImageDownload {
        let record = try image(id)
        let turn = try downloads.take()
        return ImageDownload(try ArchiveReader(openFiles(of: record)), turn)
    }

    /// Opens the files of an image that was in the catalogue a moment ago.
    ///
    /// Of one that was deleted since there may be files for a moment more: that is not found, or
    /// another image by now, and not corrupt. Blocking.
    func openFiles(of record: ImageRecord) throws(Problem) -> OpenImage {
        do throws(Problem) {
            return try imageFiles.open(record)
        } catch {
            let current = try image(record.id)
            guard current != record else { throw error }
            return try openFiles(of: current)
        }
    }

    /// Lets an upload in: bytes of an image's archive from `offset` on, up to its end.
    ///
    /// Reads memory alone. Whoever is let in must end the upload by ``ImageUpload/finish()`` or
    /// ``ImageUpload/breakOff()``. Throws `image-exists`, `image-busy`, `upload-offset`,
    /// `payload-too-large`, `overloaded` and `shutting-down`.
    package func beginUpload(
        of id: ImageID,
        from offset: UInt64,
        wholeByteCount: UInt64?
    ) throws(Problem) -> ImageUpload {
        try checkAccepting()
        var facts = Problem.Facts()
        facts.image = id
        let limit = configuration.imageByteLimit
        if let wholeByteCount, wholeByteCount > limit {
            throw Problem(
                .payloadTooLarge,
                "The archive of an image has at most \(limit) bytes.",
                facts
            )
        }
        let part = UploadTable.Part(offset: offset, wholeByteCount: wholeByteCount)
        if let taken = nameTaken(id, facts) { throw taken }
        let before = try uploads.begin(id, part, at: clock.timestamp())
        // Again: an upload that has just ended is in the catalogue before it leaves the table.
        if let taken = nameTaken(id, facts) {
            uploads.end(id)
            throw taken
        }
        return ImageUpload(id, part, behind: before, in: self)
    }

    /// Throws `image-exists`, or `image-busy` while it comes in, when a save's image could not have
    /// the name of its job.
    func checkImageName(of job: JobID, _ work: JobSpec.Work) throws(Problem) {
        guard case .save = work else { return }
        let id = ImageID(job)
        var facts = Problem.Facts()
        facts.image = id
        facts.pointer = "/id"
        if catalogue.record(id) != nil { throw Self.exists(id, facts) }
        if let busy = uploads.busy(id) { throw busy }
    }

    private static func exists(_ id: ImageID, _ facts: Problem.Facts) -> Problem {
        Problem(.imageExists, "There is an image \(id) already.", facts)
    }

    private func nameTaken(_ id: ImageID, _ facts: Problem.Facts) -> Problem? {
        var facts = facts
        if catalogue.record(id) != nil { return Self.exists(id, facts) }
        if let job = jobTable.job(JobID(id)), !job.job.state.isTerminal {
            facts.blockingJob = job.id
            return Problem(.imageExists, "Job \(id) may save an image of this name.", facts)
        }
        return nil
    }

    /// Enters an image that came in whole into the catalogue.
    ///
    /// Blocking. Throws `store-failed`, and then there is no image.
    func enter(_ sealed: ImageRecord) throws(Problem) -> ImageRecord {
        let now = clock.timestamp()
        var record = sealed
        record.uploadedAt = now
        // Where it came from it may be restored too, and nobody here would know.
        record.sourceResumed = true
        let event = Event(at: now, topic: .imageChanged(record.id, exists: true))
        do throws(Problem) {
            try events.telling { () throws(Problem) in
                try store.apply(StoreChange(savedImages: [record], events: [event]), .machine)
                catalogue.insert([record])
            }
        } catch {
            // An image that the catalogue does not know must not stay behind.
            try? imageFiles.delete(record.id)
            throw error
        }
        return record
    }

    /// Removes what an upload left, which was taken off the table for that.
    ///
    /// Blocking. Throws `storage-failed`, and then what is left goes with the next upload of the
    /// image, or the next start.
    func discardUpload(of id: ImageID) throws(Problem) {
        do throws(Problem) {
            try imageFiles.discardUpload(of: id)
        } catch {
            uploads.breakOff(id, try? imageFiles.upload(of: id))
            throw error
        }
        uploads.end(id)
    }

    /// Reads the whole of an image and compares it with what was saved; `done` is called once, from
    /// a thread of its own, with `image-corrupt`, `storage-failed` or `shutting-down` when it fails.
    ///
    /// Reads memory alone. Throws `not-found`, `image-not-ready` and `overloaded`.
    package func verifyImage(
        _ id: ImageID,
        _ done: @escaping @Sendable (Result<ImageVerification, Problem>) -> Void
    ) throws(Problem) {
        let record = try image(id)
        let turn = try verifications.take()
        DispatchQueue(label: "ferry.verification").async { [self] in
            let result: Result<ImageVerification, Problem>
            do throws(Problem) {
                result = .success(try verify(record))
            } catch {
                result = .failure(error)
            }
            turn.end()
            done(result)
        }
    }

    private func verify(_ record: ImageRecord) throws(Problem) -> ImageVerification {
        let start = clock.monotonicNanoseconds()
        do throws(Problem) {
            let image = try openFiles(of: record)
            try image.verify { isStopping.withLock { $0 } }
            return ImageVerification(
                record: image.record,
                verifiedAt: clock.timestamp(),
                nanoseconds: clock.monotonicNanoseconds() - start
            )
        } catch {
            if error.code == .cancelled { try checkAccepting() }
            throw error
        }
    }
}

/// An image that is read as an archive: the one that was there when it was opened, also when it is
/// deleted meanwhile.
package final class ImageDownload: Sendable {
    private let reader: ArchiveReader
    // Held as long as anybody reads.
    private let turn: Turn

    init(_ reader: ArchiveReader, _ turn: Turn) {
        self.reader = reader
        self.turn = turn
    }

    /// Bytes of the whole archive.
    package var byteCount: UInt64 { reader.byteCount }

    /// Names these very bytes: letters and digits.
    package var tag: String { reader.tag }

    /// Reads as many bytes as fit; 0 behind the last one.
    ///
    /// Blocking. Throws `image-corrupt`, `storage-failed`.
    package func read(
        into buffer: UnsafeMutableRawBufferPointer,
        at offset: UInt64
    ) throws(Problem) -> Int {
        try unsafe reader.read(into: buffer, at: offset)
    }
}

/// An image that was found to be what was saved.
package struct ImageVerification: Sendable {
    package let record: ImageRecord
    package let verifiedAt: Timestamp
    /// How long it took.
    package let nanoseconds: UInt64
}
