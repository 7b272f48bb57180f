import Dispatch
import Glibc
import MigrationCore
import Synchronization
import SystemIO
import Testing

@testable import StateTransfer

@Suite("Images of sets")
struct OpenImageTests {
    private static func contents(_ count: Int) -> [[UInt8]] {
        var generator = SeededGenerator(seed: UInt64(count))
        return (0..<count).map { _ in generator.bytes(1000) }
    }

    private func code(_ body: () throws(Problem) -> Void) -> Problem.Code? {
        do throws(Problem) { try body() } catch { return error.code }
        return nil
    }

    @Test("members are written, synchronized and verified side by side", arguments: [1, 16, 64])
    func sideBySide(count: Int) throws {
        let fixture = try ImageFixture()
        let contents = Self.contents(count)
        let writer = try fixture.images.create(fixture.id, memberCount: count)
        let sidecars = Mutex<[Int: ImageRecord.SidecarFile]>([:])  // Guards the answers; a leaf.
        let failures = Mutex<[any Error]>([])  // Guards what went wrong; a leaf.
        DispatchQueue.concurrentPerform(iterations: count) { member in
            do {
                try unsafe contents[member].withUnsafeBytes {
                    try unsafe writer.contents[member].write($0)
                }
                try writer.synchronize(member: member)
                guard member.isMultiple(of: 2), let sidecar = Sidecar([UInt8(member), 1]) else {
                    return
                }
                let file = try writer.writeSidecar(member: member, sidecar)
                sidecars.withLock { $0[member] = file }
            } catch {
                failures.withLock { $0.append(error) }
            }
        }
        var record = try fixture.record(of: contents)
        for member in record.members.indices {
            record.members[member].sidecar = sidecars.withLock { $0[member] }
        }
        try writer.seal(record)
        let image = try fixture.images.open(record)
        DispatchQueue.concurrentPerform(iterations: count) { member in
            do {
                try image.verify(member: member)
            } catch {
                failures.withLock { $0.append(error) }
            }
        }
        #expect(failures.withLock { $0.count } == 0)
        #expect(image.isVerified)
        for member in record.members.indices {
            let target = ScriptedStream()
            let reader = try image.reader(member: member)
            try reader.finish(fixture.load(reader, into: target))
            #expect(target.accepted == contents[member])
            let sidecar = try image.sidecar(member: member)?.bytes
            #expect(sidecar == (member.isMultiple(of: 2) ? [UInt8(member), 1] : nil))
        }
    }

    @Test("nothing is handed out until the last member is verified")
    func lastMember() throws {
        let fixture = try ImageFixture()
        let image = try fixture.images.open(
            try fixture.seal(Self.contents(3), sidecars: [1: [7]])
        )
        for member in 0..<3 {
            #expect(!image.isVerified)
            for asked in 0..<3 {
                #expect(
                    code { () throws(Problem) in _ = try image.reader(member: asked) }
                        == .internalError
                )
                #expect(
                    code { () throws(Problem) in _ = try image.sidecar(member: asked) }
                        == .internalError
                )
            }
            try image.verify(member: member)
        }
        #expect(image.isVerified)
        #expect(try image.sidecar(member: 1)?.bytes == [7])
        #expect(try image.reader(member: 2) === image.reader(member: 2))
        for member in [-1, 3, 1_000_000] {
            #expect(
                code { () throws(Problem) in try image.verify(member: member) } == .internalError
            )
            #expect(
                code { () throws(Problem) in _ = try image.reader(member: member) }
                    == .internalError
            )
        }
    }

    @Test("one damaged member bars every other one, with what was found")
    func oneDamaged() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal(Self.contents(3))
        try fixture.place.write([1, 2, 3, 4], to: "images/image-1/content.2")
        let image = try fixture.images.open(record)
        try image.verify(member: 0)
        try image.verify(member: 1)
        for _ in 0..<2 {
            let problem = #expect(throws: Problem.self) { try image.verify(member: 2) }
            #expect(problem?.detail.contains("content.2 has SHA-256") == true)
            let barred = #expect(throws: Problem.self) { try image.reader(member: 0) }
            #expect(barred == problem)
        }
    }

    @Test("a verification that was called off may be done again, from the start")
    func again() throws {
        let fixture = try ImageFixture()
        let bytes = [[UInt8]](repeating: [UInt8](repeating: 9, count: (2 << 20) + 5), count: 1)
        let image = try fixture.images.open(try fixture.seal(bytes))
        var looks = 0
        let problem = #expect(throws: Problem.self) {
            try image.verify {
                looks += 1
                return looks > 1
            }
        }
        #expect(problem?.code == .cancelled)
        #expect(!image.isVerified)
        try image.verify()
        let target = ScriptedStream()
        let reader = try image.reader(member: 0)
        try reader.finish(fixture.load(reader, into: target))
        #expect(target.accepted == bytes[0])
    }

    @Test("one member is verified by one thread at a time")
    func twice() throws {
        let fixture = try ImageFixture()
        let image = try fixture.images.open(try fixture.seal(Self.contents(2)))
        var refusals: [Problem.Code?] = []
        try image.verify(member: 0) {
            refusals.append(code { () throws(Problem) in try image.verify(member: 0) })
            return false
        }
        #expect(!refusals.isEmpty)
        #expect(refusals.allSatisfy { $0 == .internalError })
        try image.verify()
        #expect(image.isVerified)
    }

    @Test("a file that grows while it is read has an end all the same")
    func grows() throws {
        let fixture = try ImageFixture()
        let image = try fixture.images.open(try fixture.seal(Self.contents(1)))
        var length = 1000
        let more = [UInt8](repeating: 0, count: 2 << 20)
        let problem = #expect(throws: Problem.self) {
            try image.verify {
                try? fixture.place.write(more, to: "images/image-1/content", at: length)
                length += more.count
                return false
            }
        }
        #expect(problem?.code == .imageCorrupt)
        // It looked once or twice after the file had more than its recorded bytes, not on and on.
        #expect(length < 8 * more.count)
    }

    @Test("a file put into a verified one's place is not read")
    func replaced() throws {
        let fixture = try ImageFixture()
        let contents = Self.contents(2)
        let image = try fixture.images.open(
            try fixture.seal(contents, sidecars: [0: [1, 2, 3]])
        )
        try image.verify()
        for name in ["content", "content.1", "sidecar"] {
            try fixture.place.replace("images/image-1/\(name)", with: [0, 0])
        }
        for member in 0..<2 {
            let target = ScriptedStream()
            let reader = try image.reader(member: member)
            try reader.finish(fixture.load(reader, into: target))
            #expect(target.accepted == contents[member])
        }
        #expect(try image.sidecar(member: 0)?.bytes == [1, 2, 3])
    }

    @Test("a record with another sidecar than was written leaves no image")
    func sidecarMismatch() throws {
        let other = ImageRecord.SidecarFile(byteCount: 2, sha256: "00")
        for recorded in [nil, other] {
            let fixture = try ImageFixture()
            let writer = try fixture.images.create(fixture.id)
            _ = try writer.writeSidecar(member: 0, try #require(Sidecar([1, 2])))
            var record = try fixture.record(of: [[]])
            record.members[0].sidecar = recorded
            #expect(code { () throws(Problem) in try writer.seal(record) } == .streamMismatch)
            #expect(try fixture.place.names(in: "images") == [])
        }
        let fixture = try ImageFixture()
        let writer = try fixture.images.create(fixture.id)
        var record = try fixture.record(of: [[]])
        record.members[0].sidecar = other
        #expect(code { () throws(Problem) in try writer.seal(record) } == .streamMismatch)
    }

    @Test("a member has one sidecar, in a file that only the owner may look at")
    func sidecarFile() throws {
        let fixture = try ImageFixture()
        let writer = try fixture.images.create(fixture.id, memberCount: 2)
        let sidecar = try #require(Sidecar(Array("abc".utf8)))
        let written = try writer.writeSidecar(member: 1, sidecar)
        #expect(written.byteCount == 3)
        #expect(
            written.sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        )
        #expect(fixture.place.mode(of: "images/image-1~partial/sidecar.1") == 0o600)
        let again = #expect(throws: Problem.self) { try writer.writeSidecar(member: 1, sidecar) }
        #expect(again?.code == .storageFailed)
        #expect(again?.facts.errno == .exists)
        #expect(
            code { () throws(Problem) in _ = try writer.writeSidecar(member: 2, sidecar) }
                == .internalError
        )
        #expect(code { () throws(Problem) in try writer.synchronize(member: 2) } == .internalError)
        try writer.discard()
        #expect(try fixture.place.names(in: "images") == [])
    }

    @Test("an fsync that failed once is never said to have gone well")
    func failedSync() throws {
        let place = try TemporaryDirectory()
        var ends: [Int32] = [-1, -1]
        try #require(unsafe pipe(&ends) == 0)
        defer { close(ends[0]) }
        let content = ImageContent(FileDescriptor(owning: ends[1]))
        #expect(throws: Errno.invalid) { try content.synchronize() }
        try place.write([1], to: "file")
        let file = try FileDescriptor(opening: "\(place.path)/file", O_WRONLY)
        try #require(dup2(file.raw, ends[1]) == ends[1])
        #expect(throws: Errno.invalid) { try content.synchronize() }
    }
}
