import MigrationCore
import StateTransfer
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
    func seal(_ contents: [[UInt8]]) throws -> ImageRecord {
        let writer = try images.create(id, memberCount: contents.count)
        for (content, bytes) in zip(writer.contents, contents) {
            try unsafe bytes.withUnsafeBytes { try unsafe content.write($0) }
        }
        let record = try record(of: contents)
        try writer.seal(record)
        return record
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
