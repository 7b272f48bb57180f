import MigrationCore
import StateTransfer
import Testing

@Suite("Hostile images")
struct HostileImageTests {
    private static let sidecars: [Int: [UInt8]] = [
        0: (0..<100).map { UInt8($0) }, 2: (100..<200).map { UInt8($0) },
    ]

    private static func contents() -> [[UInt8]] {
        var generator = SeededGenerator(seed: 77)
        return (0..<3).map { _ in generator.bytes(5000) }
    }

    private func seal(_ fixture: ImageFixture) throws -> ImageRecord {
        try fixture.seal(Self.contents(), sidecars: Self.sidecars)
    }

    @Test(
        "it is refused with what differs, before any byte, and no file stays open",
        arguments: Damage.manifestTexts + Damage.manifestWords + Damage.members + Damage.files
            + Damage.kinds
    )
    func refused(damage: Damage) throws {
        let fixture = try ImageFixture()
        let record = try seal(fixture)
        try damage.apply(fixture.place)
        // Whatever member is asked for: the whole image is looked at.
        for member in 0..<3 {
            let problem = #expect(throws: Problem.self) {
                try fixture.reader(record, member: member)
            }
            #expect(problem?.code == .imageCorrupt)
            #expect(problem?.facts.image == fixture.id)
            let detail = problem?.detail ?? ""
            #expect(detail.contains(damage.difference), "\(detail)")
            #expect(detail.utf8.count < 600, "\(detail.utf8.count) bytes")
            #expect(try fixture.openFiles() == [])
        }
    }

    @Test("the same image undamaged is taken")
    func undamaged() throws {
        let fixture = try ImageFixture()
        let record = try seal(fixture)
        let image = try fixture.images.open(record)
        try image.verify()
        for (member, bytes) in Self.contents().enumerated() {
            let target = ScriptedStream()
            let reader = try image.reader(member: member)
            try reader.finish(fixture.load(reader, into: target))
            #expect(target.accepted == bytes)
            #expect(try image.sidecar(member: member)?.bytes == Self.sidecars[member])
        }
        #expect(try fixture.openFiles().count == 3)
    }

    @Test("a catalogue that says otherwise than the manifest is not followed")
    func otherCatalogue() throws {
        let fixture = try ImageFixture()
        let record = try seal(fixture)
        let sha256 = record.members[1].sha256
        let sidecar = ImageRecord.SidecarFile(byteCount: 100, sha256: sha256)
        let changes: [(String, (inout ImageRecord) -> Void)] = [
            ("sidecar of member 0", { $0.members[0].sidecar = sidecar }),
            ("sidecar of member 2", { $0.members[2].sidecar = nil }),
            ("sidecar of member 1", { $0.members[1].sidecar = sidecar }),
            ("number of members", { $0.members.removeLast() }),
            ("another device of member 0", { $0.members.swapAt(0, 1) }),
            ("it has 0 members", { $0.members = [] }),
            (
                "it has 1000002 members",
                { $0.members += Array(repeating: $0.members[1], count: 999_999) }
            ),
            ("another machine", { $0.machine = "riscv64" }),
            ("another version of Ferry", { $0.ferryVersion = "9" }),
        ]
        for (difference, change) in changes {
            var other = record
            change(&other)
            let problem = #expect(throws: Problem.self) { try fixture.images.open(other) }
            #expect(problem?.code == .imageCorrupt)
            let detail = problem?.detail ?? ""
            #expect(detail.contains(difference), "\(difference): \(detail)")
            #expect(try fixture.openFiles() == [])
        }
    }

    @Test("what an older Ferry wrote is read, and says format 1")
    func firstFormat() throws {
        let fixture = try ImageFixture()
        let record = try fixture.seal([[1, 2], [3]])
        let name = "images/image-1/manifest.json"
        let text = String(decoding: try fixture.place.bytes(of: name), as: UTF8.self)
        #expect(text.hasPrefix("{\"format\":1,"))
        for field in ["machine", "ferry_version", "save", "bus", "address", "sidecar"] {
            #expect(!text.contains(field))
        }
        _ = try fixture.reader(record)
    }
}
