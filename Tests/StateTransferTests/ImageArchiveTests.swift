import Foundation
import Glibc
import MigrationCore
import SystemIO
import Testing

@testable import StateTransfer

@Suite("An image as an archive")
struct ImageArchiveTests {
    let source: ImageFixture
    let target: ImageFixture

    init() throws {
        source = try ImageFixture()
        target = try ImageFixture()
    }

    @Test("what is taken in is what was given out, file for file", arguments: [1, 7, 512, 4096])
    func roundTrip(part: Int) throws {
        let record = try source.seal(ImageFixture.contents, sidecars: ImageFixture.sidecars)
        let archive = try source.archive(record)
        #expect(try target.receive(archive, by: part) == record)
        let names = try source.place.names(in: "images/image-1")
        #expect(try target.place.names(in: "images/image-1") == names)
        for name in names {
            let path = "images/image-1/\(name)"
            #expect(try target.place.bytes(of: path) == source.place.bytes(of: path))
            #expect(target.place.mode(of: path) == 0o600)
        }
        try target.images.open(record).verify()
        #expect(try target.archive(record) == archive)
    }

    @Test("members without a byte are members")
    func emptyMembers() throws {
        for contents: [[UInt8]] in [[[]], [[], [1], []], [[1, 2], [], []]] {
            let target = try ImageFixture()
            let source = try ImageFixture()
            let record = try source.seal(contents)
            #expect(try target.receive(source.archive(record)) == record)
            try target.images.open(record).verify()
        }
    }

    @Test("it is the same bytes from every offset on, and has the same tag")
    func offsets() throws {
        let record = try source.seal(ImageFixture.contents, sidecars: ImageFixture.sidecars)
        let archive = try source.archive(record, block: 333)
        let reader = try ArchiveReader(source.images.open(record))
        #expect(try ArchiveReader(source.images.open(record)).tag == reader.tag)
        let buffer = IOBuffer(byteCount: 700)
        for offset in stride(from: 0, to: archive.count, by: 257) {
            let count = try unsafe reader.read(into: buffer.bytes, at: UInt64(offset))
            #expect(count == min(700, archive.count - offset))
            #expect(unsafe Array(buffer.prefix(count)) == Array(archive[offset...].prefix(count)))
        }
        #expect(try unsafe reader.read(into: buffer.bytes, at: UInt64(archive.count)) == 0)
        #expect(try unsafe reader.read(into: buffer.bytes, at: .max) == 0)
    }

    @Test("another content has another tag")
    func tags() throws {
        let record = try source.seal([[1, 2, 3]])
        let other = try target.seal([[1, 2, 4]])
        let tags = try [
            ArchiveReader(source.images.open(record)).tag,
            ArchiveReader(target.images.open(other)).tag,
        ]
        #expect(tags[0] != tags[1])
        #expect(tags[0].count == 64)
    }

    @Test("an image that is deleted while it is read is read to its end")
    func deletedWhileRead() throws {
        let record = try source.seal(ImageFixture.contents, sidecars: ImageFixture.sidecars)
        let archive = try source.archive(record)
        let reader = try ArchiveReader(source.images.open(record))
        try source.images.delete(record.id)
        let buffer = IOBuffer(byteCount: archive.count)
        #expect(try unsafe reader.read(into: buffer.bytes, at: 0) == archive.count)
        #expect(unsafe Array(buffer.prefix(archive.count)) == archive)
    }

    @Test("a file that becomes shorter while it is read ends the reading")
    func shortened() throws {
        let record = try source.seal(ImageFixture.contents)
        let reader = try ArchiveReader(source.images.open(record))
        #expect(unsafe truncate("\(source.place.path)/images/image-1/content.2", 100) == 0)
        let buffer = IOBuffer(byteCount: 1 << 20)
        let problem = try #require(throws: Problem.self) {
            try unsafe reader.read(into: buffer.bytes, at: 0)
        }
        #expect(problem.code == .imageCorrupt)
        #expect(problem.detail.contains("content.2 has become shorter"))
    }

    private static let hasTar = FileManager.default.isExecutableFile(atPath: "/usr/bin/tar")

    @Test("the system's tar unpacks it to the image's directory", .enabled(if: hasTar))
    func unpacked() throws {
        let record = try source.seal(ImageFixture.contents, sidecars: ImageFixture.sidecars)
        let place = try TemporaryDirectory()
        try place.write(source.archive(record), to: "archive.tar")
        let names = try tar("tf", "archive.tar", in: place).split(separator: "\n").map(String.init)
        #expect(
            names == ["manifest.json", "content", "sidecar", "content.1", "content.2", "sidecar.2"]
        )
        #expect(try tar("xf", "archive.tar", in: place) == "")
        for name in names {
            #expect(
                try place.bytes(of: name) == source.place.bytes(of: "images/image-1/\(name)")
            )
        }
    }

    @Test("the system's tar knows a file of 8 GiB and more", .enabled(if: hasTar))
    func largeFile() throws {
        let byteCount: UInt64 = 10 << 30
        let place = try TemporaryDirectory()
        let time = Timestamp(millisecondsSinceEpoch: 1_700_000_000_000)
        try place.write(
            ArchiveHeader.bytes(of: "content", byteCount: byteCount, at: time),
            to: "archive.tar"
        )
        // A hole, and the end of the archive.
        #expect(unsafe truncate("\(place.path)/archive.tar", off_t(byteCount) + 1536) == 0)
        let listed = try tar("tvf", "archive.tar", in: place)
        #expect(listed.contains(" \(byteCount) 2023-11-14 "))
        #expect(listed.hasSuffix(" content\n"))
    }

    @Test("an image of more bytes than a file can have has no archive")
    func tooLarge() throws {
        var record = try source.record(of: [[1], [2]])
        let members = record.members
        for sizes: (UInt64, UInt64) in [(.max, 1), (1 << 63, 0), (1 << 62, 1 << 62)] {
            record.members = zip(members, [sizes.0, sizes.1]).map { member, byteCount in
                ImageRecord.Member(
                    device: member.device,
                    driver: nil,
                    vendorID: nil,
                    deviceID: nil,
                    flags: 0,
                    byteCount: byteCount,
                    sha256: member.sha256
                )
            }
            let problem = try #require(throws: Problem.self) {
                try ImageArchive(record, manifest: [])
            }
            #expect(problem.code == .imageCorrupt)
        }
    }

    /// What tar prints; it must succeed.
    private func tar(
        _ operation: String,
        _ file: String,
        in place: TemporaryDirectory
    ) throws -> String {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/tar")
        process.arguments = [operation, file]
        process.currentDirectoryURL = URL(filePath: place.path)
        process.environment = ["TZ": "UTC", "LC_ALL": "C"]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let text = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0)
        return String(decoding: text, as: UTF8.self)
    }
}
