package import MigrationCore
internal import MigrationPorts
internal import StateTransfer
internal import Synchronization

/// One upload of an image, from the moment it was let in.
///
///     accepted ── open ──▶ receiving ── finish ──▶ ended: the image is in the catalogue
///         │                    ├── anything fails ──▶ ended: nothing remains
///         └───── breakOff ─────┴──▶ ended: what came is kept, for the next part
///
/// All calls block, and belong to one thread at a time.
package final class ImageUpload: Sendable {
    private enum Stage {
        case accepted
        case receiving(ImageReceiver)
        case ended
    }

    package let id: ImageID
    private let engine: Engine
    private let part: UploadTable.Part
    /// What there was of the image when it was let in.
    private let before: ImageDirectory.Upload?
    /// Guards how far it is.
    ///
    /// A leaf.
    private let stage = Mutex(Stage.accepted)

    init(
        _ id: ImageID,
        _ part: UploadTable.Part,
        behind before: ImageDirectory.Upload?,
        in engine: Engine
    ) {
        self.id = id
        self.part = part
        self.before = before
        self.engine = engine
    }

    /// Makes room for what comes, by removing uploads whose time is over, and verifies what came
    /// before.
    ///
    /// Throws `image-corrupt`, and `storage-failed`, after which what came before is kept.
    package func open() throws(Problem) {
        let images = engine.imageFiles
        var bounds = ImageReceiver.Bounds()
        bounds.byteLimit = engine.configuration.imageByteLimit
        bounds.spareByteCount = engine.configuration.spareImageByteCount
        bounds.declaredByteCount = part.wholeByteCount
        do throws(Problem) {
            while let one = engine.uploads.takeOver(at: engine.clock.timestamp()) {
                try engine.discardUpload(of: one)
            }
            let receiver =
                part.offset > 0
                ? try images.resumeUpload(of: id, bounds) : try images.beginUpload(of: id, bounds)
            stage.withLock { $0 = .receiving(receiver) }
        } catch {
            // A disk that fails says nothing of what came before.
            if error.code == .imageCorrupt { fail() } else { breakOff() }
            throw error
        }
    }

    /// Takes the next bytes.
    ///
    /// Throws `image-corrupt` with what differs, `payload-too-large`, `storage-failed`.
    package func receive(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        let receiver = try receiver()
        do throws(Problem) {
            try unsafe receiver.receive(bytes)
        } catch {
            fail()
            throw error
        }
    }

    /// Enters the image, which is whole, into the catalogue, so that both survive the machine.
    ///
    /// Throws `image-corrupt` when bytes are missing, `storage-failed` and `store-failed`.
    package func finish() throws(Problem) -> ImageRecord {
        let receiver = try receiver()
        do throws(Problem) {
            let record = try engine.enter(try receiver.seal())
            _ = leave()
            engine.uploads.end(id)
            return record
        } catch {
            fail()
            throw error
        }
    }

    /// Keeps what came, for an upload that goes on behind it.
    ///
    /// After the end it does nothing.
    package func breakOff() {
        switch leave() {
        case .ended: return
        case .accepted:
            // Nothing was opened, so what was there mostly still is.
            let left = kept(before) { () throws(Problem) in try engine.imageFiles.upload(of: id) }
            engine.uploads.breakOff(id, left)
        case .receiving(let receiver):
            let left = kept(nil) { () throws(Problem) in
                let left = try receiver.arrived()
                if left == nil { try? receiver.discard() }
                return left
            }
            engine.uploads.breakOff(id, left)
        }
    }

    /// What the disk says there is; `known` when it does not say.
    private func kept(
        _ known: ImageDirectory.Upload?,
        _ look: () throws(Problem) -> ImageDirectory.Upload?
    ) -> ImageDirectory.Upload? {
        do throws(Problem) {
            return try look()
        } catch {
            // A disk that fails says nothing of what came: it stays, for a start that can read.
            guard error.code == .imageCorrupt else { return known }
            try? engine.imageFiles.discardUpload(of: id)
            return nil
        }
    }

    private func receiver() throws(Problem) -> ImageReceiver {
        if case .receiving(let receiver) = stage.withLock({ $0 }) { return receiver }
        throw Problem(.internalError, "The upload of image \(id) is not open.")
    }

    private func fail() {
        if case .ended = leave() { return }
        try? engine.imageFiles.discardUpload(of: id)
        engine.uploads.end(id)
    }

    /// Ends it; returns how far it was.
    private func leave() -> Stage {
        stage.withLock { stage in
            defer { stage = .ended }
            return stage
        }
    }
}
