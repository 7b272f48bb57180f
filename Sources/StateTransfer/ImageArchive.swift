import MigrationCore

/// An image as one sequence of bytes: a tar archive of its directory, the manifest first, which is
/// the same whenever and wherever it is made.
///
/// All of it but the files' own bytes follows from the manifest. So whoever has that knows where
/// each byte belongs, how many there are, and what those must be that are of no file.
struct ImageArchive: Sendable {
    /// A content or a sidecar.
    struct File: Sendable {
        let name: String
        let member: Int
        let isSidecar: Bool
        let byteCount: UInt64
        let sha256: String
    }

    /// Bytes that lie side by side.
    struct Span: Sendable {
        let what: String
        let offset: UInt64
        let byteCount: UInt64
        let content: Content

        enum Content: Sendable {
            case fixed([UInt8])
            /// Those of the file at this place in ``ImageArchive/files``.
            case file(Int)
        }
    }

    let record: ImageRecord
    let files: [File]
    /// Without gaps, from the first byte to the last.
    let spans: [Span]
    let byteCount: UInt64
    /// Names these very bytes: of two archives that differ, so do these.
    ///
    /// SHA-256 of everything but the files, whose own digests are in the manifest.
    let tag: String

    /// Throws `image-corrupt` when the record is of more bytes than a file can have.
    init(_ record: ImageRecord, manifest: [UInt8]) throws(Problem) {
        self.record = record
        files = Self.files(of: record)
        var spans: [Span] = []
        var offset: UInt64 = 0
        var digest = try ContentDigest()
        func append(_ what: String, _ byteCount: UInt64, _ content: Span.Content) throws(Problem) {
            let (end, isOverflow) = offset.addingReportingOverflow(byteCount)
            guard !isOverflow, end <= UInt64(Int64.max) else {
                throw ImageProblem.corrupt(record.id, "it has more bytes than a file can hold")
            }
            spans.append(Span(what: what, offset: offset, byteCount: byteCount, content: content))
            offset = end
        }
        func append(_ what: String, fixed bytes: [UInt8]) throws(Problem) {
            try unsafe bytes.withUnsafeBufferPointer { bytes throws(Problem) in
                try unsafe digest.update(UnsafeRawBufferPointer(bytes))
            }
            try append(what, UInt64(bytes.count), .fixed(bytes))
        }
        func header(_ name: String, _ byteCount: UInt64) -> [UInt8] {
            ArchiveHeader.bytes(of: name, byteCount: byteCount, at: record.createdAt)
        }
        let name = ImageNames.manifest
        try append(name, fixed: header(name, UInt64(manifest.count)) + manifest)
        var padding = ArchiveHeader.paddingByteCount(after: UInt64(manifest.count))
        for (index, file) in files.enumerated() {
            try append(
                "the header of \(file.name)",
                fixed: [UInt8](repeating: 0, count: padding) + header(file.name, file.byteCount)
            )
            try append(file.name, file.byteCount, .file(index))
            padding = ArchiveHeader.paddingByteCount(after: file.byteCount)
        }
        let ending = padding + 2 * ArchiveHeader.blockByteCount
        try append("its end", fixed: [UInt8](repeating: 0, count: ending))
        self.spans = spans
        byteCount = offset
        tag = try digest.hexadecimal()
    }

    /// The place of the span a byte lies in; nil behind the last one.
    func place(of offset: UInt64) -> Int? {
        spans.firstIndex { offset < $0.offset + $0.byteCount }
    }

    private static func files(of record: ImageRecord) -> [File] {
        record.members.enumerated().flatMap { index, member in
            let content = File(
                name: ImageNames.content(member: index),
                member: index,
                isSidecar: false,
                byteCount: member.byteCount,
                sha256: member.sha256
            )
            guard let sidecar = member.sidecar else { return [content] }
            let beside = File(
                name: ImageNames.sidecar(member: index),
                member: index,
                isSidecar: true,
                byteCount: sidecar.byteCount,
                sha256: sidecar.sha256
            )
            return [content, beside]
        }
    }
}
