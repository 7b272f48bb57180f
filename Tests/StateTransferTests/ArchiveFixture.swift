import MigrationCore
import SystemIO
import Testing

@testable import StateTransfer

extension ImageFixture {
    /// Three members of odd sizes, the outer ones with sidecars.
    static let contents: [[UInt8]] = [
        pattern(1300, 1), pattern(512, 2), pattern(70_001, 3),
    ]
    static let sidecars: [Int: [UInt8]] = [0: pattern(100, 4), 2: pattern(1024, 5)]

    static func pattern(_ count: Int, _ seed: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ seed &* 7 &+ $0 >> 8) }
    }

    /// The archive of an image, read in blocks of such a size.
    func archive(_ record: ImageRecord, block: Int = 4096) throws -> [UInt8] {
        let reader = try ArchiveReader(images.open(record))
        let buffer = IOBuffer(byteCount: block)
        var bytes: [UInt8] = []
        while true {
            let count = try unsafe reader.read(into: buffer.bytes, at: UInt64(bytes.count))
            if count == 0 { break }
            unsafe bytes.append(contentsOf: buffer.prefix(count))
        }
        #expect(bytes.count == Int(reader.byteCount))
        return bytes
    }

    /// Takes an archive in, by parts of such a size; what fails leaves nothing.
    @discardableResult
    func receive(
        _ bytes: [UInt8],
        by part: Int = .max,
        _ bounds: ImageReceiver.Bounds = bounds
    ) throws -> ImageRecord {
        let receiver = try images.beginUpload(of: id, bounds)
        do {
            try receiver.receive(bytes[...], by: part)
            return try receiver.seal()
        } catch {
            try receiver.discard()
            throw error
        }
    }

    /// The problem of an archive that must be refused, and leave nothing.
    func refusal(
        of bytes: [UInt8],
        _ comment: Comment? = nil,
        bounds: ImageReceiver.Bounds = bounds,
        at place: SourceLocation = #_sourceLocation
    ) throws -> Problem {
        var problem: Problem?
        do {
            try receive(bytes, by: .max, bounds)
        } catch let error as Problem {
            problem = error
        }
        #expect(try self.place.names(in: "images") == [], comment, sourceLocation: place)
        return try #require(problem, comment, sourceLocation: place)
    }

    /// No space is kept free on the machine of a test.
    static var bounds: ImageReceiver.Bounds {
        var bounds = ImageReceiver.Bounds()
        bounds.spareByteCount = 0
        return bounds
    }

    /// An archive of such files, each with the header it has in an image's.
    static func byFiles(_ files: [(name: String, bytes: [UInt8])]) -> [UInt8] {
        let time = Timestamp(millisecondsSinceEpoch: 1_700_000_000_000)
        let parts = files.flatMap { name, bytes in
            ArchiveHeader.bytes(of: name, byteCount: UInt64(bytes.count), at: time) + bytes
                + [UInt8](
                    repeating: 0,
                    count: ArchiveHeader.paddingByteCount(after: UInt64(bytes.count))
                )
        }
        return parts + [UInt8](repeating: 0, count: 1024)
    }
}

extension ImageReceiver {
    func receive(_ bytes: ArraySlice<UInt8>, by part: Int = .max) throws {
        var rest = bytes
        while !rest.isEmpty {
            let next = rest.prefix(part)
            try unsafe next.withUnsafeBytes { bytes throws in try unsafe receive(bytes) }
            rest = rest.dropFirst(next.count)
        }
    }
}
