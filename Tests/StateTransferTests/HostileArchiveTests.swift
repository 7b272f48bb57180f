import MigrationCore
import SystemIO
import Testing

@testable import StateTransfer

@Suite("An archive that is not what an image leads to")
struct HostileArchiveTests {
    let target: ImageFixture
    let archive: [UInt8]
    let record: ImageRecord
    let manifest: [UInt8]

    init() throws {
        let source = try ImageFixture()
        record = try source.seal(ImageFixture.contents, sidecars: ImageFixture.sidecars)
        archive = try source.archive(record)
        manifest = try source.place.bytes(of: "images/image-1/manifest.json")
        target = try ImageFixture()
    }

    private var files: [(name: String, bytes: [UInt8])] {
        let (contents, sidecars) = (ImageFixture.contents, ImageFixture.sidecars)
        return [
            ("manifest.json", manifest), ("content", contents[0]),
            ("sidecar", sidecars[0] ?? []), ("content.1", contents[1]),
            ("content.2", contents[2]), ("sidecar.2", sidecars[2] ?? []),
        ]
    }

    private func edited(_ edit: (inout [(name: String, bytes: [UInt8])]) -> Void) -> [UInt8] {
        var files = files
        edit(&files)
        return ImageFixture.byFiles(files)
    }

    @Test("the test's own way to make one makes the same")
    func composed() { #expect(ImageFixture.byFiles(files) == archive) }

    @Test("one that ends early is refused wherever it ends, and leaves nothing")
    func truncated() throws {
        for count in stride(from: 0, to: archive.count, by: 512) {
            let problem = try target.refusal(of: Array(archive[..<count]), "after \(count) bytes")
            #expect(problem.code == .imageCorrupt)
            #expect(problem.detail.contains("its archive ends after \(count)"))
        }
        let problem = try target.refusal(of: Array(archive.dropLast()))
        #expect(problem.detail.contains("within its end"))
    }

    @Test("one with a changed byte is refused, whichever it is but of the manifest")
    func changed() throws {
        // A manifest with another letter in a driver's name is a manifest.
        let manifest = 512..<(512 + manifest.count)
        for offset in stride(from: 0, to: archive.count, by: 149)
        where !manifest.contains(offset) {
            var archive = archive
            archive[offset] ^= 0x10
            let problem = try target.refusal(of: archive, "byte \(offset)")
            #expect(problem.code == .imageCorrupt)
        }
    }

    @Test("each file must have its digest", arguments: 1...5)
    func digests(file: Int) throws {
        let problem = try target.refusal(of: edited { $0[file].bytes[99] ^= 1 })
        #expect(problem.code == .imageCorrupt)
        #expect(problem.image == record.id)
        #expect(problem.detail.contains("corrupt: \(files[file].name) has SHA-256 "))
        #expect(problem.detail.hasSuffix(" was saved."))
    }

    @Test("bytes behind its end are refused")
    func extra() throws {
        for extra in [[0], [UInt8](repeating: 0, count: 512)] as [[UInt8]] {
            let problem = try target.refusal(of: archive + extra)
            #expect(problem.detail.contains("bytes follow the end of its archive"))
        }
    }

    @Test("files that the manifest does not name, or not there, are refused")
    func otherFiles() throws {
        let cases: [(what: String, bytes: [UInt8])] = [
            ("sidecar left out", edited { $0.remove(at: 2) }),
            ("content left out", edited { $0.remove(at: 3) }),
            ("content twice", edited { $0.insert($0[1], at: 2) }),
            ("manifest twice", edited { $0.insert($0[0], at: 1) }),
            ("stranger within", edited { $0.insert(("content.7", [1]), at: 3) }),
            ("stranger last", edited { $0.append(("content.3", [1])) }),
            ("another order", edited { $0.swapAt(1, 2) }),
            ("a path upwards", edited { $0[3].name = "../content.1" }),
            ("an absolute path", edited { $0[3].name = "/tmp/content.1" }),
            ("content longer", edited { $0[1].bytes.append(0) }),
            ("content shorter", edited { $0[4].bytes.removeLast() }),
            ("sidecar longer", edited { $0[5].bytes.append(0) }),
        ]
        for (what, bytes) in cases {
            let problem = try target.refusal(of: bytes, Comment(rawValue: what))
            #expect(problem.code == .imageCorrupt)
            #expect(problem.detail.contains("its archive differs at byte "), "\(what)")
        }
    }

    @Test("links, directories, devices and extended headers are refused", arguments: 0...UInt8(127))
    func types(type: UInt8) throws {
        guard type != UInt8(ascii: "0") else { return }
        let header = 512 + (manifest.count + 511) / 512 * 512
        var archive = archive
        archive[header + 156] = type
        let problem = try target.refusal(of: archive)
        #expect(problem.detail.contains("at byte \(header + 156), within the header of content"))
    }

    @Test("it begins with a manifest of a size that is one")
    func manifestSizes() throws {
        let sizes: [(what: String, field: [UInt8])] = [
            ("none", Array("00000000000".utf8)), ("2 MiB", Array("00010000000".utf8)),
            ("all there is", Array("77777777777".utf8)), ("spaces", Array("           ".utf8)),
            ("base 256", [0x80] + [UInt8](repeating: 0, count: 9) + [1]),
            ("negative", [UInt8](repeating: 0xff, count: 11)),
            ("eights", Array("00000000888".utf8)), ("signed", Array("-0000000001".utf8)),
        ]
        for (what, field) in sizes {
            var archive = archive
            archive.replaceSubrange(124..<135, with: field)
            let problem = try target.refusal(of: archive, Comment(rawValue: what))
            #expect(problem.detail.contains("does not begin with manifest.json"), "\(what)")
        }
        var other = archive
        other[0] = UInt8(ascii: "M")
        #expect(try target.refusal(of: other).detail.contains("the header of manifest.json"))
    }

    @Test("a manifest that no save wrote is refused")
    func manifests() throws {
        let digest = record.members[1].sha256
        let words: [(old: String, new: String, difference: String)] = [
            (#""id":"image-1""#, #""id":"image-2""#, "is of another image"),
            (#""format":2"#, #""format":3"#, "has format 3"),
            (#""format":2"#, #""format":1"#, "which has no sidecars"),
            (#""device":"sim-1""#, #""device":"sim-0""#, "a device that is two"),
            (#""byte_count":512"#, #""byte_count":-512"#, "cannot be read"),
            (#""byte_count":512"#, #""byte_count":9223372036854775807"#, "than a file can hold"),
            (#""byte_count":100"#, #""byte_count":0"#, "a sidecar that has not 1 to 65536"),
            (#""byte_count":100"#, #""byte_count":65537"#, "a sidecar that has not 1 to 65536"),
            (digest, digest.uppercased(), "a SHA-256 that is not 64 digits"),
            (digest, String(repeating: "a", count: 9000), "a SHA-256 that is not 64 digits"),
            ("6.12.0", String(repeating: "6", count: 257), "a text of more than 256 bytes"),
            (#""image":{"#, #""image":[{"#, "cannot be read"),
        ]
        let text = String(decoding: manifest, as: UTF8.self)
        for (old, new, difference) in words {
            try #require(text.contains(old), "\(old)")
            let edit = Array(text.replacing(old, with: new, maxReplacements: 1).utf8)
            let problem = try target.refusal(of: edited { $0[0].bytes = edit })
            #expect(problem.code == .imageCorrupt)
            #expect(problem.detail.contains(difference), "\(problem.detail)")
            #expect(problem.detail.utf8.count < 500)
        }
    }

    @Test("one over the limit, or longer than was announced, is refused at its manifest")
    func bounds() throws {
        var bounds = ImageFixture.bounds
        bounds.byteLimit = UInt64(archive.count - 1)
        #expect(try target.refusal(of: archive, bounds: bounds).code == .payloadTooLarge)
        bounds = ImageFixture.bounds
        bounds.declaredByteCount = UInt64(archive.count + 512)
        let problem = try target.refusal(of: archive, bounds: bounds)
        #expect(problem.code == .imageCorrupt)
        #expect(problem.detail.contains("\(archive.count + 512) bytes were announced"))
    }

    @Test("one that would leave too little room is refused before a file is written")
    func space() throws {
        var bounds = ImageFixture.bounds
        bounds.spareByteCount = .max
        let head = Array(archive[..<(512 + manifest.count)])
        let problem = try target.refusal(of: head, bounds: bounds)
        #expect(problem.code == .storageFailed)
        #expect(problem.facts.errno == .noSpace)
    }
}

extension Problem {
    fileprivate var image: ImageID? { facts.image }
}
