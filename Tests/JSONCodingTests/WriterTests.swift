import JSONCoding
import Testing

@Suite("The writer refuses what could not be read back") struct WriterTests {
    private func problem(_ value: some Encodable) -> JSONProblem? {
        do {
            _ = try JSONWriter.encode(value)
            return nil
        } catch {
            return error
        }
    }

    @Test("an integer above Int64.max is refused with its pointer")
    func bigIntegers() {
        struct Seed: Encodable { var seedValue: [UInt64] }
        let found = problem(Seed(seedValue: [1, UInt64(Int64.max) + 1]))
        #expect(found?.kind == .numberOutOfRange)
        #expect(found?.pointer == "/seed_value/1")
        #expect(problem(UInt64.max)?.kind == .numberOutOfRange)
    }

    @Test("infinity and NaN are refused")
    func notFinite() {
        for value in [Double.infinity, -.infinity, .nan] {
            #expect(problem([value])?.kind == .numberOutOfRange)
        }
        #expect(problem(Float.nan)?.kind == .numberOutOfRange)
    }

    @Test("NUL in a string or a key is refused")
    func nul() {
        #expect(problem(["a", "b\u{0}"])?.pointer == "/1")
        #expect(problem(["b\u{0}": 1])?.kind == .invalidValue)
    }

    @Test("a value that nests too deep is refused before the stack ends")
    func depth() throws {
        final class Chain: Encodable {
            let next: Chain?

            init(_ next: Chain?) { self.next = next }
        }
        func chain(_ length: Int) -> Chain {
            (1..<length).reduce(Chain(nil)) { chain, _ in Chain(chain) }
        }
        #expect(problem(chain(32)) == nil)
        #expect(problem(chain(33))?.kind == .tooDeep)
        #expect(problem(chain(5000))?.kind == .tooDeep)
    }

    @Test("nested containers made by hand write where they stand")
    func nestedContainers() throws {
        struct Handmade: Encodable {
            enum Key: String, CodingKey {
                case list
                case object
            }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Key.self)
                var list = container.nestedUnkeyedContainer(forKey: .list)
                try list.encode(1)
                var inner = list.nestedUnkeyedContainer()
                try inner.encode("two")
                try list.encodeNil()
                var object = container.nestedContainer(keyedBy: Key.self, forKey: .object)
                try object.encodeNil(forKey: .list)
                try list.encode(true)
                #expect(list.count == 4)
            }
        }
        let text = try encoded(Handmade())
        #expect(text == #"{"list":[1,["two"],null,true],"object":{"list":null}}"#)
    }

    @Test("a field written again replaces the first, and nothing of it is used after")
    func replacedField() throws {
        struct Twice: Encodable {
            enum Key: CodingKey { case a }

            func encode(to encoder: any Encoder) throws {
                var container = encoder.container(keyedBy: Key.self)
                var first = container.nestedUnkeyedContainer(forKey: .a)
                try container.encode(2, forKey: .a)
                for number in 0..<1000 { try first.encode(number) }
            }
        }
        #expect(try encoded(Twice()) == #"{"a":2}"#)
    }

    @Test("a value that encodes itself twice is refused")
    func twice() {
        struct Twice: Encodable {
            func encode(to encoder: any Encoder) throws {
                var container = encoder.singleValueContainer()
                try container.encode(1)
                try container.encode(2)
            }
        }
        #expect(problem(Twice())?.kind == .invalidValue)
    }

    @Test("a list joins texts as they are, and its cursor is a JSON string or null")
    func list() throws {
        struct Page: Decodable, Equatable {
            var items: [[Int]]
            var nextCursor: String?
        }
        let one = JSONWriter.list(items: [Array("[1]".utf8), Array("[2]".utf8)], nextCursor: nil)
        #expect(String(decoding: one, as: UTF8.self) == #"{"items":[[1],[2]],"next_cursor":null}"#)
        let cursor = "a\"\\\u{1}\n\u{1f}ü"
        let none = JSONWriter.list(items: [], nextCursor: cursor)
        let page = try JSONReader.decode(Page.self, from: none, unknownFields: .refuse)
        #expect(page == Page(items: [], nextCursor: cursor))
    }
}
