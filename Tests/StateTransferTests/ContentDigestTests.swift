import MigrationCore
import StateTransfer
import Testing

@Suite("ContentDigest")
struct ContentDigestTests {
    @Test(
        "the digests of FIPS 180-2 come out",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
            (
                String(repeating: "a", count: 1_000_000),
                "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
            ),
        ]
    )
    func publishedVectors(text: String, digest: String) throws {
        #expect(try sha256(Array(text.utf8)) == digest)
    }

    @Test("a digest does not depend on where the bytes are split, nor on being asked early")
    func splits() throws {
        var generator = SeededGenerator(seed: 7)
        let bytes = generator.bytes(10_000)
        var digest = try ContentDigest()
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...97, using: &generator))
            try unsafe piece.withUnsafeBytes { try unsafe digest.update($0) }
            rest = rest.dropFirst(piece.count)
            if rest.count > 5000 { _ = try digest.hexadecimal() }
        }
        let whole = try sha256(bytes)
        #expect(try digest.hexadecimal() == whole)
        #expect(try digest.hexadecimal() == whole)
    }
}

func sha256(_ bytes: [UInt8]) throws -> String {
    var digest = try ContentDigest()
    try unsafe bytes.withUnsafeBytes { try unsafe digest.update($0) }
    return try digest.hexadecimal()
}
