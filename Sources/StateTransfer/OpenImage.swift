package import MigrationCore
internal import Synchronization
internal import SystemIO

/// A whole image with every file of it open, to be verified and then read.
///
///     member:  open ── verify ──▶ under way ──▶ verified
///               ▲                   │  └──────▶ failed
///               └─── called off ────┘
///
/// Members may be verified side by side, each by one thread. Nothing is handed out until all of
/// them are verified.
package final class OpenImage: Sendable {
    private enum Stage {
        case open
        case underWay
        case verified
        case failed(Problem)
    }

    package let record: ImageRecord
    /// The bytes of `manifest.json`, which says what the record says.
    let manifest: [UInt8]
    /// One a member, whose sizes are those of the record.
    let readers: [ImageReader]
    /// One a member; what is recorded of them is true.
    let sidecars: [Sidecar?]
    /// Guards how far each member is.
    ///
    /// A leaf.
    private let stages: Mutex<[Stage]>

    /// Checks the manifest, the names of the files, their kinds and sizes, and the sidecars.
    ///
    /// What is left for ``verify(member:shouldStop:)`` is the members' content.
    init(_ record: ImageRecord, in directory: borrowing Directory) throws(Problem) {
        guard (1...ImageDirectory.memberLimit).contains(record.members.count) else {
            throw ImageProblem.corrupt(
                record.id,
                "it has \(record.members.count) members, not 1 to \(ImageDirectory.memberLimit)"
            )
        }
        manifest = try ImageManifest.check(record, in: directory)
        try Self.checkNames(record, in: directory)
        var readers: [ImageReader] = []
        var sidecars: [Sidecar?] = []
        for index in record.members.indices {
            readers.append(try ImageReader(record, member: index, in: directory))
            sidecars.append(try Self.sidecar(record, member: index, in: directory))
        }
        self.record = record
        self.readers = readers
        self.sidecars = sidecars
        self.stages = Mutex(Array(repeating: .open, count: readers.count))
    }

    /// Reads the whole content of a member and compares it with what was saved.
    ///
    /// Different members may be verified at the same time; a verified one is not read again.
    /// Blocking. Throws `image-corrupt` with what differs, `storage-failed`, or `cancelled` when
    /// `shouldStop` became true; after that the member may be verified again.
    package func verify(
        member: Int,
        shouldStop: () -> Bool = { false }
    ) throws(Problem) {
        let reader = try place(member, in: readers)
        guard try begin(member) else { return }
        do throws(Problem) {
            try reader.verify(shouldStop: shouldStop)
            stages.withLock { $0[member] = .verified }
        } catch {
            stages.withLock { $0[member] = error.code == .cancelled ? .open : .failed(error) }
            throw error
        }
    }

    /// Verifies every member, one after the other.
    package func verify(shouldStop: () -> Bool = { false }) throws(Problem) {
        for member in readers.indices { try verify(member: member, shouldStop: shouldStop) }
    }

    /// Whether all of the image is what was saved.
    package var isVerified: Bool {
        stages.withLock { stages in
            stages.allSatisfy { stage in
                if case .verified = stage { true } else { false }
            }
        }
    }

    /// The reader of a member's content, the same one each time.
    ///
    /// Throws what was found when any member failed, and `internal` when one is not verified yet.
    package func reader(member: Int) throws(Problem) -> ImageReader {
        try checkVerified()
        return try place(member, in: readers)
    }

    /// What the member's user kept of it beside its state.
    ///
    /// Throws as ``reader(member:)`` does.
    package func sidecar(member: Int) throws(Problem) -> Sidecar? {
        try checkVerified()
        return try place(member, in: sidecars)
    }

    private func place<Item>(_ member: Int, in items: [Item]) throws(Problem) -> Item {
        guard items.indices.contains(member) else {
            throw Problem(.internalError, "Image \(record.id) has no member \(member).")
        }
        return items[member]
    }

    /// Takes a member for its verification; false when it has been through it.
    private func begin(_ member: Int) throws(Problem) -> Bool {
        let stage = stages.withLock { stages in
            let stage = stages[member]
            if case .open = stage { stages[member] = .underWay }
            return stage
        }
        switch stage {
        case .open: return true
        case .verified: return false
        case .failed(let problem): throw problem
        case .underWay:
            throw Problem(
                .internalError,
                "Member \(member) of image \(record.id) is being verified already."
            )
        }
    }

    private func checkVerified() throws(Problem) {
        if isVerified { return }
        for case .failed(let problem) in stages.withLock({ $0 }) { throw problem }
        throw Problem(.internalError, "Image \(record.id) was to be used before it was verified.")
    }
}

extension OpenImage {
    /// A file that is not in the record is not what was saved, whatever it holds.
    private static func checkNames(
        _ record: ImageRecord,
        in directory: borrowing Directory
    ) throws(Problem) {
        let known = ImageNames.files(of: record)
        let names: [String]
        do throws(Errno) {
            names = try directory.names(limit: known.count + 1)
        } catch {
            throw ImageProblem.storage(record.id, "readdir", error)
        }
        guard let stranger = names.first(where: { !known.contains($0) }) else { return }
        throw ImageProblem.corrupt(
            record.id,
            "its directory holds \(stranger.debugDescription), which was not saved"
        )
    }

    private static func sidecar(
        _ record: ImageRecord,
        member: Int,
        in directory: borrowing Directory
    ) throws(Problem) -> Sidecar? {
        guard let recorded = record.members[member].sidecar else { return nil }
        let name = ImageNames.sidecar(member: member)
        let bytes = try ImageFile.bytes(
            of: name,
            of: record.id,
            in: directory,
            limit: Sidecar.byteCountLimit
        )
        guard bytes.count == recorded.byteCount else {
            throw ImageProblem.corrupt(
                record.id,
                "\(name) has \(bytes.count) bytes, and \(recorded.byteCount) were saved"
            )
        }
        let sha256 = try ContentDigest.hexadecimal(of: bytes)
        guard sha256 == recorded.sha256 else {
            throw ImageProblem.corrupt(
                record.id,
                "\(name) has SHA-256 \(sha256), and \(recorded.sha256) was saved"
            )
        }
        guard let sidecar = Sidecar(bytes) else {
            throw ImageProblem.corrupt(record.id, "\(name) is empty")
        }
        return sidecar
    }
}
