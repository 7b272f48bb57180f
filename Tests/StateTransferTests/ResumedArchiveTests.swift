import Glibc
import MigrationCore
import SystemIO
import Testing

@testable import StateTransfer

@Suite("An archive that comes in parts")
struct ResumedArchiveTests {
    let target: ImageFixture
    let archive: [UInt8]
    let record: ImageRecord

    init() throws {
        let source = try ImageFixture()
        record = try source.seal(ImageFixture.contents, sidecars: ImageFixture.sidecars)
        archive = try source.archive(record)
        target = try ImageFixture()
    }

    /// Takes the first bytes in and breaks off, as a client does that vanishes.
    private func breakOff(after count: Int) throws -> ImageDirectory.Upload? {
        let receiver = try target.images.beginUpload(of: target.id, ImageFixture.bounds)
        try receiver.receive(archive[..<count], by: 1000)
        return try? receiver.arrived()
    }

    private func resume() throws -> ImageReceiver {
        try target.images.resumeUpload(of: target.id, ImageFixture.bounds)
    }

    @Test("it goes on behind the last byte of a file that came, wherever it broke off")
    func resumed() throws {
        let ends = [0, 1, 511, 512, 513]
        let blocks = stride(from: 0, to: archive.count, by: 1024)
        for count in Set(blocks.flatMap { start in ends.map { start + $0 } }).sorted()
        where count < archive.count {
            let upload = try breakOff(after: count)
            if let upload {
                #expect(upload.byteCount <= count)
                #expect(upload.wholeByteCount == archive.count)
                #expect(try target.images.uploads() == [upload])
                let receiver = try resume()
                try receiver.receive(archive[Int(upload.byteCount)...])
                #expect(try receiver.seal() == record, "after \(count)")
                try target.images.open(record).verify()
                try target.images.delete(record.id)
            } else {
                #expect(count <= 512 + 1024 + 512 + 1, "after \(count)")
                #expect(try target.images.uploads() == [])
            }
            #expect(try target.place.names(in: "images") == [])
        }
    }

    @Test("it may break off again and again")
    func again() throws {
        var upload = try #require(try breakOff(after: 5000))
        while upload.byteCount + 3000 < archive.count {
            let receiver = try resume()
            let start = Int(upload.byteCount)
            try receiver.receive(archive[start..<(start + 3000)])
            let next = try #require(try receiver.arrived())
            #expect(next.byteCount > upload.byteCount)
            upload = next
        }
        let receiver = try resume()
        try receiver.receive(archive[Int(upload.byteCount)...])
        #expect(try receiver.seal() == record)
    }

    @Test("what came before is verified, so that damage in between is found")
    func damaged() throws {
        _ = try breakOff(after: archive.count - 600)
        let path = "images/image-1~upload/content.1"
        var bytes = try target.place.bytes(of: path)
        bytes[7] ^= 1
        try target.place.write(bytes, to: path)
        let problem = try #require(throws: Problem.self) { try resume() }
        #expect(problem.code == .imageCorrupt)
        #expect(problem.detail.contains("content.1 has SHA-256"))
    }

    @Test("bytes of files that lie behind a gap did not come")
    func gap() throws {
        _ = try breakOff(after: archive.count - 600)
        // A machine that died may have written the later file and not all of the one before.
        #expect(unsafe truncate("\(target.place.path)/images/image-1~upload/content.2", 5) == 0)
        let upload = try #require(try target.images.upload(of: target.id))
        let receiver = try resume()
        try receiver.receive(archive[Int(upload.byteCount)...])
        #expect(try receiver.seal() == record)
        try target.images.open(record).verify()
    }

    @Test("uploads survive a sweep, and what cannot be gone on with does not")
    func swept() throws {
        let upload = try #require(try breakOff(after: 5000))
        let other = try #require(ImageID("image-2"))
        _ = try target.images.beginUpload(of: other, ImageFixture.bounds)
        let sweep = try target.images.sweep(keeping: [])
        #expect(sweep.removed == [])
        #expect(sweep.unknown == [])
        #expect(try target.images.uploads() == [upload])
        #expect(try target.place.names(in: "images") == ["image-1~upload"])
        #expect(abs(upload.writtenAt.millisecondsSinceEpoch / 1000 - Int64(time(nil))) < 3600)
    }

    @Test("an upload that a start cannot look at is kept for one that can")
    func keptOverFailure() throws {
        let upload = try #require(try breakOff(after: 5000))
        let path = "\(target.place.path)/images/image-1~upload"
        let away = "\(target.place.path)/away"
        // Whoever opens it hears an errno that says nothing of the files.
        try #require(unsafe rename(path, away) == 0)
        try #require(unsafe symlink(path, path) == 0)
        #expect(try target.images.uploads() == [])
        #expect(try target.place.names(in: "images") == ["image-1~upload"])
        try #require(unsafe unlink(path) == 0)
        try #require(unsafe rename(away, path) == 0)
        #expect(try target.images.uploads() == [upload])
        let receiver = try resume()
        try receiver.receive(archive[Int(upload.byteCount)...])
        #expect(try receiver.seal() == record)
    }

    @Test("a whole one begins anew in place of the part that came")
    func anew() throws {
        _ = try breakOff(after: 5000)
        #expect(try target.receive(archive) == record)
    }

    @Test("of two images of one name the first that is sealed stays")
    func sameName() throws {
        let receiver = try target.images.beginUpload(of: target.id, ImageFixture.bounds)
        try receiver.receive(archive[...])
        let saved = try target.seal([[1, 2, 3]])
        #expect(throws: Problem.self) { try receiver.seal() }
        try receiver.discard()
        try target.images.open(saved).verify()
        try target.images.delete(saved.id)

        let writer = try target.images.create(target.id)
        let late = try target.images.beginUpload(of: target.id, ImageFixture.bounds)
        try late.receive(archive[...])
        #expect(try late.seal() == record)
        #expect(throws: Problem.self) { try writer.seal(target.record(of: [[]])) }
        try target.images.open(record).verify()
        #expect(try target.place.names(in: "images") == ["image-1"])
    }
}
