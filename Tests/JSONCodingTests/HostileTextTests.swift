import JSONCoding
import Testing

@Suite("Hostile texts are refused, and the answer says where") struct HostileTextTests {
    @Test(
        "what is not JSON is malformed, with line, column and byte",
        arguments: [
            "", " ", "{", "[1,]", #"{"a" 1}"#, #"{"a":1,}"#, "nul", "1 2", "{} x", "'a'", "01",
            "+1", ".5", "1.", "1e", #""\x""#, #""\ud800""#, "\"a\nb\"", "[1", #"{"a":"#, "NaN",
            "\u{FEFF}1", "/* c */1", "-", "\u{0}",
        ]
    )
    func malformed(_ text: String) throws {
        let found = try #require(problem([Int].self, text))
        #expect(found.kind == .malformed, "\(found)")
        let position = try #require(found.position)
        #expect(position.column >= 1)
        // Once: whoever shows the sentence adds nothing.
        #expect(found.detail.hasSuffix("(\(position))"))
        #expect(found.detail.split(separator: "column").count == 2)
    }

    @Test("the place of a syntax error is told in lines, characters and bytes")
    func place() throws {
        let found = try #require(problem(Device.self, "{\n  \"id\": \"ü\" ?\n}"))
        #expect(found.position?.line == 2)
        #expect(found.pointer == "/id")
        let deep = "[\n€" + String(repeating: "[", count: 40)
        let tooDeep = try #require(problem([Int].self, deep))
        #expect(tooDeep.position == .init(line: 2, column: 33, byteOffset: 36))
    }

    @Test("a field that is there twice is refused with its pointer")
    func duplicates() throws {
        let found = try #require(
            problem([String: [String: Int]].self, #"{"a":{},"b":{"x/y":1,"x\/y":2}}"#)
        )
        #expect(found.kind == .duplicateKey)
        #expect(found.pointer == "/b/x~1y")
        #expect(found.position?.line == 1)
    }

    @Test("nesting stops at its limit, whatever the size of the text")
    func nesting() throws {
        struct Nest: Decodable {
            init(from decoder: any Decoder) throws {
                if var items = try? decoder.unkeyedContainer() { _ = try items.decode(Nest.self) }
            }
        }
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
        }
        #expect(problem(Nest.self, nested(32)) == nil)
        #expect(problem(Nest.self, nested(33))?.kind == .tooDeep)
        #expect(problem(Nest.self, nested(500_000))?.kind == .tooDeep)
        let objects = String(repeating: #"{"a":"#, count: 500_000)
        #expect(problem(Nest.self, objects)?.kind == .tooDeep)
        #expect(problem(String.self, #""\#(String(repeating: "[", count: 100))""#) == nil)
        #expect(problem([String].self, #"["\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["]"#) == nil)
    }

    @Test(
        "bytes that are not UTF-8 are refused",
        arguments: [
            [0x22, 0xFF, 0x22], [0x22, 0xC0, 0x80, 0x22], [0x22, 0xED, 0xA0, 0x80, 0x22],
            [0x22, 0xF4, 0x90, 0x80, 0x80, 0x22], [0x22, 0xE2, 0x82, 0x22],
        ] as [[UInt8]]
    )
    func utf8(_ bytes: [UInt8]) {
        #expect(problem(String.self, bytes)?.kind == .notUTF8)
    }

    @Test("NUL in a string or a name is refused, raw or escaped")
    func nul() {
        #expect(problem([String].self, #"["a\u0000b"]"#)?.kind == .invalidValue)
        #expect(problem([String].self, #"["a\u0000b"]"#)?.pointer == "/0")
        #expect(problem([String: Int].self, #"{"a\u0000b":1}"#)?.kind == .invalidValue)
        #expect(problem(String.self, "\"a\u{0}b\"")?.kind == .malformed)
    }

    @Test("numbers that do not fit are refused, not wrapped")
    func numbers() throws {
        func kind<T: Decodable>(_ type: T.Type, _ text: String) -> JSONProblem.Kind? {
            problem(type, text)?.kind
        }
        #expect(kind(Int8.self, "128") == .numberOutOfRange)
        #expect(kind(UInt8.self, "-1") == .numberOutOfRange)
        #expect(kind(UInt64.self, "-1") == .numberOutOfRange)
        #expect(kind(Int32.self, "2147483648") == .numberOutOfRange)
        #expect(kind(Int64.self, "9223372036854775808") == .numberOutOfRange)
        #expect(kind(UInt64.self, "18446744073709551615") == .numberOutOfRange)
        #expect(kind(Int.self, String(repeating: "9", count: 100_000)) == .numberOutOfRange)
        #expect(kind(Double.self, "1e400") == .numberOutOfRange)
        #expect(kind(Float.self, "1e39") == .numberOutOfRange)
        #expect(kind(Int.self, "1.0") == .wrongType)
        #expect(kind(Int.self, "1e2") == .wrongType)
        #expect(kind(Int.self, #""1""#) == .wrongType)
        #expect(kind(Int.self, "true") == .wrongType)
        #expect(kind(Bool.self, "1") == .wrongType)
        let found = try #require(problem([String: [Int]].self, #"{"a":[1,99999999999999999999]}"#))
        #expect(found.pointer == "/a/1")
    }

    @Test("the top level is what the type says")
    func topLevel() {
        #expect(problem(Device.self, "[]")?.kind == .wrongType)
        #expect(problem(Device.self, "[]")?.pointer == "")
        #expect(problem([Int].self, "{}")?.kind == .wrongType)
        #expect(problem(Device.self, "\"x\"")?.kind == .wrongType)
    }

    @Test("every prefix of a document is refused, and none of them crashes the reader")
    func truncation() {
        let bytes = Array(Job.sampleText.utf8)
        for length in bytes.indices {
            #expect(problem(Job.self, Array(bytes[..<length])) != nil)
        }
    }

    @Test("a document with any one byte changed is read or refused, never worse")
    func mutation() {
        let original = Array(Job.sampleText.utf8)
        var generator = SplitMix(state: 42)
        var refused = 0
        for _ in 0..<5000 {
            var bytes = original
            let index = Int(generator.next() % UInt64(bytes.count))
            bytes[index] = UInt8(truncatingIfNeeded: generator.next())
            if problem(Job.self, bytes) != nil { refused += 1 }
        }
        #expect((1000..<5000).contains(refused))
    }
}

/// A small deterministic generator.
struct SplitMix {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
