import MigrationCore
import StateTransfer
import SystemIO
import Testing

/// An image directory with the means to fill it.
struct ImageFixture {
    let place: TemporaryDirectory
    let images: ImageDirectory
    let id: ImageID

    init() throws {
        place = try TemporaryDirectory()
        images = try ImageDirectory(path: "\(place.path)/images")
        id = try #require(ImageID("image-1"))
    }

    /// Writes and seals an image of such members, and returns its record.
    @discardableResult
    func seal(_ contents: [[UInt8]], sidecars: [Int: [UInt8]] = [:]) throws -> ImageRecord {
        let writer = try images.create(id, memberCount: contents.count)
        for (content, bytes) in zip(writer.contents, contents) {
            try unsafe bytes.withUnsafeBytes { try unsafe content.write($0) }
        }
        var record = try record(of: contents)
        for (member, bytes) in sidecars {
            let sidecar = try #require(Sidecar(bytes))
            record.members[member].sidecar = try writer.writeSidecar(member: member, sidecar)
        }
        try writer.seal(record)
        return record
    }

    /// Verifies the whole of an image and takes one member's reader.
    func reader(_ record: ImageRecord, member: Int = 0) throws -> ImageReader {
        let image = try images.open(record)
        try image.verify()
        return try image.reader(member: member)
    }

    /// The files below the fixture's directory that this process has open, deleted ones too.
    func openFiles() throws -> [String] {
        try BoundedFile.names(in: "/proc/self/fd").compactMap { number in
            // Tests beside this one open and close files meanwhile.
            let target = try? BoundedFile.linkTarget(at: "/proc/self/fd/\(number)")
            return target.flatMap { $0.hasPrefix(place.path + "/images/image-1") ? $0 : nil }
        }
    }

    func record(of contents: [[UInt8]]) throws -> ImageRecord {
        let members = try contents.enumerated().map { index, bytes in
            ImageRecord.Member(
                device: try #require(DeviceID("sim-\(index)")),
                driver: "mtty",
                vendorID: nil,
                deviceID: nil,
                flags: 7,
                byteCount: UInt64(bytes.count),
                sha256: try sha256(bytes)
            )
        }
        return ImageRecord(
            id: id,
            job: try #require(JobID("job-1")),
            createdAt: Timestamp(millisecondsSinceEpoch: 1_700_000_000_000),
            members: members,
            sourceResumed: true,
            kernelRelease: "6.12.0"
        )
    }

    /// Loads a member into a target and returns what it took.
    func load(_ reader: ImageReader, into target: ScriptedStream) throws -> EndRecord {
        let pump = try StreamPump(into: StreamSink(target))
        _ = try pump.load(from: reader, shouldStop: { false }, onBytes: { _ in })
        return try pump.end()
    }
}
