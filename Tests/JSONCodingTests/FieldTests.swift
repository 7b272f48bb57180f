import JSONCoding
import Testing

@Suite("Fields are told by name and pointer") struct FieldTests {
    @Test(
        "property names become lower snake case and are found again",
        arguments: [
            ("stopCopyBytes", "stop_copy_bytes"), ("jobID", "job_id"), ("deviceIDs", "device_ids"),
            ("runningP2P", "running_p2p"), ("contentSHA256", "content_sha256"),
            ("sha256Digest", "sha256_digest"), ("xxh3", "xxh3"), ("ioMMUGroup", "io_mmu_group"),
            ("hasP2PSupport", "has_p2p_support"), ("usesTLS13Only", "uses_tls13_only"),
            ("acceptCopy", "accept_copy"), ("_0", "_0"), ("already_snake", "already_snake"),
            ("keptAs_IsHere", "keptAs_IsHere"), ("pid", "pid"),
            ("progressTimeoutSeconds", "progress_timeout_seconds"),
            ("idsOfIDs", "ids_of_ids"), ("status", "status"),
        ]
    )
    func names(_ property: String, _ name: String) throws {
        NameProbe.current.withValue(property) {
            #expect((try? encoded(NameProbe())) == "{\"\(name)\":1}")
            #expect(problem(NameProbe.self, "{\"\(name)\":1}") == nil)
            if property != name {
                let found = problem(NameProbe.self, "{\"\(property)\":1}")
                #expect(found?.kind == .unknownField, "the property's own spelling is no field")
            }
        }
    }

    @Test("an unknown field is refused with its pointer, however deep")
    func unknown() throws {
        let text = Job.sampleText
        let outer = text.replacing(#""phase""#, with: #""m~n/o":0,"phase""#)
        #expect(problem(Job.self, outer)?.kind == .unknownField)
        #expect(problem(Job.self, outer)?.pointer == "/m~0n~1o")
        let inner = text.replacing(#""id":"sim-0""#, with: #""id":"sim-0","speed":1"#)
        #expect(problem(Job.self, inner)?.kind == .unknownField)
        #expect(problem(Job.self, inner)?.pointer == "/devices/0/speed")
        let nested = text.replacing(#""image_id""#, with: #""later":1,"image_id""#)
        #expect(problem(Job.self, nested)?.pointer == "/action/save_all/later")
        for ignored in [outer, inner, nested] {
            #expect(try decoded(Job.self, ignored, .ignore) == .sample)
        }
    }

    @Test("a name made to have very many spellings is refused like any other")
    func manySpellings() {
        let name = String(repeating: "s_", count: 200_000) + "s"
        #expect(problem(Job.self, "{\"\(name)\":1}")?.kind == .unknownField)
        let some = Array(repeating: "ids", count: 16).joined(separator: "_")
        #expect(problem(Job.self, "{\"\(some)\":1}")?.kind == .unknownField)
    }

    @Test("a missing field, a wrong type and a value out of its set are told apart")
    func faults() throws {
        let missing = Job.sampleText.replacing(#""running_p2p":true,"#, with: "")
        #expect(problem(Job.self, missing)?.kind == .missingField)
        #expect(problem(Job.self, missing)?.pointer == "/devices/0/running_p2p")
        let wrong = Job.sampleText.replacing("[7,8]", with: #"[7,"8"]"#)
        #expect(problem(Job.self, wrong)?.kind == .wrongType)
        #expect(problem(Job.self, wrong)?.pointer == "/devices/0/holder_ids/1")
        #expect(
            problem(Job.self, wrong)?.detail == "must be an integer, not a string"
        )
        let value = Job.sampleText.replacing(#""pre_copy""#, with: #""never""#)
        #expect(problem(Job.self, value)?.kind == .invalidValue)
        #expect(problem(Job.self, value)?.pointer == "/phase")
        #expect(problem(Job.self, value)?.detail == "must be one of pre_copy, stop_copy")
    }

    @Test("an enumeration with values takes exactly one case, one that it has")
    func cases() {
        let empty = problem(Job.Action.self, "{}")
        #expect(empty?.kind == .wrongType)
        let two = problem(Job.Action.self, #"{"reset":{},"pair":{"_0":"a","_1":1}}"#)
        #expect(two?.kind == .wrongType)
        #expect(problem(Job.Action.self, #"{"other":{}}"#)?.kind == .unknownField)
        #expect(problem(Job.Action.self, #"{"reset":{"x":1}}"#)?.pointer == "/reset/x")
    }

    @Test("what a type of ours throws is a problem at the value it was reading")
    func thrown() throws {
        struct Even: Decodable {
            struct Odd: Error, CustomStringConvertible { let description = "the number is odd" }

            init(from decoder: any Decoder) throws {
                if try Int(from: decoder) % 2 == 1 { throw Odd() }
            }
        }
        struct Corrupt: Decodable {
            init(from decoder: any Decoder) throws {
                let container = try decoder.singleValueContainer()
                throw DecodingError.dataCorruptedError(
                    in: container,
                    debugDescription: "no such thing"
                )
            }
        }
        let odd = try #require(problem([String: [Even]].self, #"{"aB":[2,3]}"#))
        #expect(odd == JSONProblem(.invalidValue, at: "/aB/1", "the number is odd"))
        let corrupt = try #require(problem([Corrupt].self, "[1]"))
        #expect(corrupt == JSONProblem(.invalidValue, at: "/0", "no such thing"))
    }

    @Test("the keys of a dictionary are data: never renamed, never unknown")
    func dictionaryKeys() throws {
        let keys = ["camelCase", "snake_case", "a/b~c", "", "UPPER", "12"]
        let value = Dictionary(uniqueKeysWithValues: keys.map { ($0, $0) })
        #expect(try decoded([String: String].self, try encoded(value)) == value)
        let wrong = problem([String: Int].self, #"{"a/b~camelCase":"x"}"#)
        #expect(wrong?.pointer == "/a~1b~0camelCase")
    }
}

/// A structure with one field, named at run time.
private struct NameProbe: Codable {
    /// The property's name for the task that runs.
    static let current = TaskLocal(wrappedValue: "")

    struct Key: CodingKey {
        let stringValue: String
        var intValue: Int? { nil }

        init?(stringValue: String) {
            guard stringValue == NameProbe.current.get() else { return nil }
            self.stringValue = stringValue
        }

        init?(intValue: Int) { nil }
    }

    init() {}

    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        guard let key = Key(stringValue: Self.current.get()) else { return }
        _ = try container.decode(Int.self, forKey: key)
        if container.allKeys.map(\.stringValue) != [key.stringValue] { throw NotListed() }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        guard let key = Key(stringValue: Self.current.get()) else { return }
        try container.encode(1, forKey: key)
    }

    private struct NotListed: Error {}
}
