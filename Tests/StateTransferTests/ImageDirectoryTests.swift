import Glibc
import MigrationCore
import StateTransfer
import SystemIO
import Testing

@Suite("ImageDirectory")
struct ImageDirectoryTests {
    @Test("an image comes back byte for byte", arguments: [0, 1, 4095, (1 << 20) + 3, 3 << 20])
    func roundTrip(byteCount: Int) throws {
        let fixture = try ImageFixture()
        var generator = SeededGenerator(seed: UInt64(byteCount))
        let bytes = generator.bytes(byteCount)
        let record = try fixture.seal([bytes])
        let reader = try fixture.reader(record)
        let target = ScriptedStream()
        let end = try fixture.load(reader, into: target)
        try reader.finish(end)
        #expect(target.accepted == bytes)
    }

    @Test("every member of an image has a file of its own")
    func members() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([[1, 2, 3], [], [9]])
        #expect(
            try fixture.place.names(in: "images/image-1")
                == ["content", "content.1", "content.2", "manifest.json"]
        )
        for (member, bytes) in [[1, 2, 3], [], [9]].enumerated() as EnumeratedSequence<[[UInt8]]> {
            let target = ScriptedStream()
            let reader = try fixture.reader(record, member: member)
            try reader.finish(fixture.load(reader, into: target))
            #expect(target.accepted == bytes)
            #expect(reader.member == record.members[member])
        }
        let problem = #expect(throws: Problem.self) { try fixture.reader(record, member: 3) }
        #expect(problem?.code == .internalError)
    }

    @Test("only the owner may look at an image")
    func modes() throws {
        let fixture = try ImageFixture()
        try fixture.seal([[1]])
        #expect(fixture.place.mode(of: "images") == 0o700)
        #expect(fixture.place.mode(of: "images/image-1") == 0o700)
        #expect(fixture.place.mode(of: "images/image-1/content") == 0o600)
        #expect(fixture.place.mode(of: "images/image-1/manifest.json") == 0o600)
    }

    @Test("an image has its name only when it is sealed")
    func partial() throws {
        let fixture = try ImageFixture()
        let writer = try fixture.images.create(fixture.id)
        #expect(try fixture.place.names(in: "images") == ["image-1~partial"])
        #expect(ImageID("image-1~partial") == nil)
        try writer.seal(fixture.record(of: [[]]))
        #expect(try fixture.place.names(in: "images") == ["image-1"])
    }

    @Test("a second image of the same id is refused, before the seal and after")
    func sameID() throws {
        let fixture = try ImageFixture()
        let writer = try fixture.images.create(fixture.id)
        for _ in 0..<2 {
            let problem = #expect(throws: Problem.self) { try fixture.images.create(fixture.id) }
            #expect(problem?.code == .storageFailed)
            #expect(problem?.facts.errno == .exists)
            #expect(problem?.facts.image == fixture.id)
            try? writer.seal(fixture.record(of: [[]]))
        }
        #expect(try fixture.place.names(in: "images") == ["image-1"])
    }

    @Test("a record that does not fit what was written leaves no image")
    func sealMismatch() throws {
        let fixture = try ImageFixture()
        let writer = try fixture.images.create(fixture.id)
        let problem = #expect(throws: Problem.self) {
            try writer.seal(fixture.record(of: [[1, 2]]))
        }
        #expect(problem?.code == .streamMismatch)
        #expect(try fixture.place.names(in: "images") == [])
        let again = #expect(throws: Problem.self) { try writer.seal(fixture.record(of: [[]])) }
        #expect(again?.code == .internalError)
    }

    @Test("a seal that fails on the file system leaves no image and names the call")
    func sealFails() throws {
        let fixture = try ImageFixture()
        let writer = try fixture.images.create(fixture.id)
        try fixture.place.write([0], to: "images/image-1~partial/manifest.json")
        let problem = #expect(throws: Problem.self) { try writer.seal(fixture.record(of: [[]])) }
        #expect(problem?.code == .storageFailed)
        #expect(problem?.facts.operation == "open")
        #expect(problem?.facts.errno == .exists)
        #expect(try fixture.place.names(in: "images") == [])
    }

    @Test("a discard leaves nothing, and after the seal does nothing")
    func discard() throws {
        let fixture = try ImageFixture()
        let first = try fixture.images.create(fixture.id)
        try first.discard()
        try first.discard()
        #expect(try fixture.place.names(in: "images") == [])
        let second = try fixture.images.create(fixture.id)
        try second.seal(fixture.record(of: [[]]))
        try second.discard()
        #expect(try fixture.place.names(in: "images") == ["image-1"])
    }

    @Test("a deleted image is gone, and deleting it again is no error")
    func delete() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([[1], [2]])
        try fixture.images.delete(fixture.id)
        try fixture.images.delete(fixture.id)
        #expect(try fixture.place.names(in: "images") == [])
        let problem = #expect(throws: Problem.self) { try fixture.images.open(record) }
        #expect(problem?.code == .imageCorrupt)
    }

    @Test("an image can still be read while it is deleted")
    func deleteWhileOpen() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([[1, 2, 3]])
        let reader = try fixture.reader(record)
        try fixture.images.delete(fixture.id)
        let target = ScriptedStream()
        try reader.finish(fixture.load(reader, into: target))
        #expect(target.accepted == [1, 2, 3])
    }

    @Test("a sweep removes what a crash left, reports strangers and misses what is gone")
    func sweep() throws {
        let fixture = try ImageFixture()
        try fixture.seal([[1]])
        let lost = try #require(ImageID("image-2"))
        let stranger = try #require(ImageID("image-3"))
        _ = try fixture.images.create(lost)
        try fixture.place.write([1], to: "images/README~")
        unsafe mkdir("\(fixture.place.path)/images/image-3", 0o700)
        unsafe mkdir("\(fixture.place.path)/images/image-4~deleted", 0o700)
        try fixture.place.write([1], to: "images/image-4~deleted/content")
        unsafe mkdir("\(fixture.place.path)/images/image-5~partial", 0o700)
        unsafe mkdir("\(fixture.place.path)/images/image-5~partial/dir", 0o700)

        let sweep = try fixture.images.sweep(keeping: [fixture.id, lost])
        #expect(sweep.removed == ["image-2~partial", "image-4~deleted"])
        #expect(sweep.unknown == ["README~", stranger.text])
        #expect(sweep.missing == [lost])
        #expect(sweep.problems.map(\.code) == [.storageFailed])
        #expect(
            try fixture.place.names(in: "images")
                == ["README~", "image-1", "image-3", "image-5~partial"]
        )
    }

    @Test("a leftover that is a symbolic link is not followed")
    func sweepFollowsNoLink() throws {
        let fixture = try ImageFixture()
        try fixture.seal([[1]])
        unsafe symlink("image-1", "\(fixture.place.path)/images/evil~partial")
        let sweep = try fixture.images.sweep(keeping: [fixture.id])
        #expect(sweep.problems.count == 1)
        #expect(try fixture.place.names(in: "images/image-1") == ["content", "manifest.json"])
    }

    @Test("a leftover goes whatever its files are called, and a stranger of odd bytes is reported")
    func oddNames() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([[1]])
        let root = "\(fixture.place.path)/images"
        unsafe mkdir("\(root)/image-2~partial", 0o700)
        let odd: [UInt8] = [0xff, 0x0a, 0xc3, 0x28]
        let paths = ["/image-2~partial/", "/image-1/", "/"].map { directory in
            (Array("\(root)\(directory)".utf8) + odd + [0]).map(CChar.init(bitPattern:))
        }
        for path in paths {
            let file = unsafe open(path, O_WRONLY | O_CREAT, 0o600)
            try #require(file >= 0)
            close(file)
        }
        let sweep = try fixture.images.sweep(keeping: [fixture.id])
        #expect(sweep.removed == ["image-2~partial"])
        #expect(sweep.problems == [])
        #expect(sweep.unknown.count == 1)
        #expect(try fixture.place.names(in: "images").filter { $0.hasSuffix("~partial") } == [])
        let problem = #expect(throws: Problem.self) { try fixture.images.open(record) }
        #expect(problem?.code == .imageCorrupt)
        try fixture.images.delete(fixture.id)
        #expect(try fixture.place.names(in: "images").filter { $0.hasPrefix("image") } == [])
        #expect(unsafe unlink(paths[2]) == 0)
    }

    @Test("a directory that cannot be made says which call failed")
    func unmakeable() {
        let problem = #expect(throws: Problem.self) {
            try ImageDirectory(path: "/proc/none/images")
        }
        #expect(problem?.code == .storageFailed)
        #expect(problem?.facts.operation == "mkdir")
        #expect(problem?.facts.errno == .noEntry)
    }
}
