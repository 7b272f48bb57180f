import Glibc
import MigrationCore
import StateTransfer
import Testing

/// A way to damage the image `image-1` whose content is 5000 bytes.
struct Damage: CustomTestStringConvertible, Sendable {
    let testDescription: String
    /// A piece of the sentence the problem must have.
    let difference: String
    let apply: @Sendable (TemporaryDirectory) throws -> Void

    static let image = "images/image-1"
    static let content = "\(image)/content"

    static let all: [Damage] =
        [0, 2500, 4999].map { offset in
            Damage(testDescription: "bit flipped at \(offset)", difference: "SHA-256") { place in
                let byte = try place.bytes(of: content)[offset]
                try place.write([byte ^ 0x10], to: content, at: offset)
            }
        }
        + [0, 1, 4999].map { length in
            Damage(testDescription: "truncated to \(length)", difference: "has \(length) bytes") {
                unsafe truncate("\($0.path)/\(content)", length)
            }
        }
        + [
            Damage(testDescription: "extended by a byte", difference: "has 5001 bytes") {
                try $0.write([0], to: content, at: 5000)
            },
            Damage(testDescription: "content missing", difference: "content is missing") {
                unsafe unlink("\($0.path)/\(content)")
            },
            Damage(testDescription: "content a link to the same", difference: "symbolic link") {
                unsafe rename("\($0.path)/\(content)", "\($0.path)/elsewhere")
                unsafe symlink("\($0.path)/elsewhere", "\($0.path)/\(content)")
            },
            Damage(testDescription: "content a FIFO", difference: "not a regular file") {
                unsafe unlink("\($0.path)/\(content)")
                unsafe mkfifo("\($0.path)/\(content)", 0o600)
            },
            Damage(testDescription: "content a directory", difference: "not a regular file") {
                unsafe unlink("\($0.path)/\(content)")
                unsafe mkdir("\($0.path)/\(content)", 0o700)
            },
            Damage(testDescription: "manifest missing", difference: "manifest.json is missing") {
                unsafe unlink("\($0.path)/\(image)/manifest.json")
            },
            Damage(testDescription: "manifest a link", difference: "symbolic link") {
                unsafe unlink("\($0.path)/\(image)/manifest.json")
                unsafe symlink("/dev/zero", "\($0.path)/\(image)/manifest.json")
            },
            Damage(testDescription: "manifest garbage", difference: "cannot be read") {
                try $0.write([0x7B, 0x7B], to: "\(image)/manifest.json")
            },
            Damage(testDescription: "manifest of another format", difference: "has format 7") {
                let text = String(
                    decoding: try $0.bytes(of: "\(image)/manifest.json"),
                    as: UTF8.self
                )
                let other = text.replacing("\"format\":1", with: "\"format\":7")
                try $0.write(Array(other.utf8), to: "\(image)/manifest.json")
            },
            Damage(testDescription: "manifest of another content", difference: "another content") {
                let text = String(
                    decoding: try $0.bytes(of: "\(image)/manifest.json"),
                    as: UTF8.self
                )
                let other = text.replacing("5000", with: "5001")
                try $0.write(Array(other.utf8), to: "\(image)/manifest.json")
            },
            Damage(testDescription: "directory missing", difference: "directory is missing") {
                unsafe rename("\($0.path)/\(image)", "\($0.path)/elsewhere")
            },
            Damage(testDescription: "directory a link", difference: "not a directory") {
                unsafe rename("\($0.path)/\(image)", "\($0.path)/elsewhere")
                unsafe symlink("\($0.path)/elsewhere", "\($0.path)/\(image)")
            },
        ]
}

@Suite("Verification of images")
struct ImageVerificationTests {
    private static func content() -> [UInt8] {
        var generator = SeededGenerator(seed: 5000)
        return generator.bytes(5000)
    }

    @Test("a damaged image is refused before any byte is handed out", arguments: Damage.all)
    func damaged(damage: Damage) throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([Self.content()])
        try damage.apply(fixture.place)
        let problem = #expect(throws: Problem.self) { try fixture.reader(record) }
        #expect(problem?.code == .imageCorrupt)
        #expect(problem?.facts.image == fixture.id)
        #expect(problem?.detail.contains(damage.difference) == true, "\(problem?.detail ?? "")")
        #expect(try fixture.openFiles() == [])
    }

    @Test("every single flipped bit is found")
    func everyBit() throws {
        let fixture = try ImageFixture()
        let bytes = Array(Self.content().prefix(32))
        let record = try fixture.seal([bytes])
        for bit in 0..<(bytes.count * 8) {
            let flipped = bytes[bit / 8] ^ (1 << (bit % 8))
            try fixture.place.write([flipped], to: "images/image-1/content", at: bit / 8)
            let problem = #expect(throws: Problem.self) { try fixture.reader(record) }
            #expect(problem?.code == .imageCorrupt)
            try fixture.place.write([bytes[bit / 8]], to: "images/image-1/content", at: bit / 8)
        }
        _ = try fixture.reader(record)
    }

    @Test("what the catalogue learns later of the source does not make an image corrupt")
    func laterKnowledge() throws {
        let fixture = try ImageFixture()
        var record = try fixture.seal([Self.content()])
        record.sourceResumed.toggle()
        _ = try fixture.reader(record)
    }

    @Test("content changed after it was verified bars LOADED", arguments: [true, false])
    func changedAfterwards(isTruncated: Bool) throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([Self.content()])
        let reader = try fixture.reader(record)
        let path = "\(fixture.place.path)/images/image-1/content"
        if isTruncated {
            unsafe truncate(path, 17)
        } else {
            let byte = Self.content()[4000]
            try fixture.place.write([~byte], to: "images/image-1/content", at: 4000)
        }
        let end = try fixture.load(reader, into: ScriptedStream())
        let problem = #expect(throws: Problem.self) { try reader.finish(end) }
        #expect(problem?.code == .imageCorrupt)
        #expect(problem?.facts.image == fixture.id)
    }

    @Test("content appended after it was verified is not handed out")
    func extendedAfterwards() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([Self.content()])
        let reader = try fixture.reader(record)
        try fixture.place.write([1, 2, 3], to: "images/image-1/content", at: 5000)
        let target = ScriptedStream()
        try reader.finish(fixture.load(reader, into: target))
        #expect(target.accepted == Self.content())
    }

    @Test("a load that stopped half-way is not finished")
    func stoppedLoad() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([[UInt8](repeating: 3, count: (1 << 20) + 1)])
        let reader = try fixture.reader(record)
        let pump = try StreamPump(into: StreamSink(ScriptedStream()))
        var chunks = 0
        let drained = try pump.load(
            from: reader,
            shouldStop: { chunks == 1 },
            onBytes: { _ in chunks += 1 }
        )
        #expect(drained.outcome == .stopped)
        let problem = #expect(throws: Problem.self) { try reader.finish(pump.end()) }
        #expect(problem?.code == .imageCorrupt)
    }

    @Test("a verification can be cancelled")
    func cancelled() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([Self.content()])
        let problem = #expect(throws: Problem.self) {
            try fixture.images.open(record).verify(shouldStop: { true })
        }
        #expect(problem?.code == .cancelled)
    }
}
