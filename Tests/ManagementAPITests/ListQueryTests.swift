import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("A list is walked in its order, whatever comes and goes")
struct ListQueryTests {
    private struct Thing: Hashable, Sendable {
        let id: String
        var size: Int64?
        var name = ""
    }

    private let table = FieldTable<Thing>(
        list: "things",
        order: "id",
        members: ["id", "size"],
        fields: [
            .text("id") { $0.id }, .number("size") { $0.size }, .text("name") { $0.name },
            .set("marks") { _ in [] },
        ]
    )

    private func query(_ parameters: [(String, String)]) throws -> ListQuery<Thing> {
        let raw = parameters.map { "\($0)=\(encoded($1))" }.joined(separator: "&")
        return try ListQuery(
            table,
            QueryParameters(rawQuery: raw, allowed: ListParameters.names)
        )
    }

    private func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            let digits = String(byte, radix: 16)
            return "%" + (digits.count == 1 ? "0" : "") + digits
        }.joined()
    }

    private func walk(
        _ things: [Thing],
        _ parameters: (String, String)...,
        between: (inout [Thing], ListPage<Thing>) -> Void = { _, _ in }
    ) throws -> [String] {
        var things = things
        var met: [String] = []
        var cursor: String?
        repeat {
            let page = try query(parameters + (cursor.map { [("cursor", $0)] } ?? []))
                .page(of: things.sorted { $0.id < $1.id })
            met += page.items.map(\.id)
            cursor = page.nextCursor
            between(&things, page)
        } while cursor != nil
        return met
    }

    private let things: [Thing] = [
        Thing(id: "a", size: 3), Thing(id: "b"), Thing(id: "c", size: 1), Thing(id: "d", size: 3),
        Thing(id: "e"), Thing(id: "f", size: 2),
    ]

    @Test("the order is what the sort says, and the id decides last")
    func order() throws {
        #expect(try walk(things) == ["a", "b", "c", "d", "e", "f"])
        #expect(try walk(things, ("sort", "-id")) == ["f", "e", "d", "c", "b", "a"])
        #expect(try walk(things, ("sort", "size")) == ["c", "f", "a", "d", "b", "e"])
        // What has no size is last either way.
        #expect(try walk(things, ("sort", "-size")) == ["a", "d", "f", "c", "b", "e"])
        #expect(try walk(things, ("sort", "-size,-id")) == ["d", "a", "f", "c", "e", "b"])
        #expect(try walk(things, ("filter", "size>1"), ("sort", "size")) == ["f", "a", "d"])
    }

    @Test("pages of any length make the whole", arguments: 1...7)
    func pages(limit: Int) throws {
        for sort in ["id", "-id", "size", "-size,-id", "name,size"] {
            let whole = try walk(things, ("sort", sort))
            #expect(try walk(things, ("sort", sort), ("limit", "\(limit)")) == whole, "\(sort)")
        }
        let few = try walk(things, ("filter", "not size"), ("limit", "\(limit)"))
        #expect(few == ["b", "e"])
    }

    @Test("what stays is met once, though things come and go", arguments: 0..<100)
    func comingAndGoing(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let all = (0..<30).map {
            Thing(id: "\($0 + 100)", size: Int64.random(in: 0..<5, using: &random))
        }
        let passing = Set(all.filter { _ in Bool.random(using: &random) }.map(\.id))
        let sort = ["id", "-id", "size", "-size,-id"].randomElement(using: &random) ?? "id"
        var newcomers = 0
        let met = try walk(all, ("limit", "3"), ("sort", sort)) { things, page in
            // The last one of the page, which the cursor is behind, goes first of all.
            if let last = page.items.last, passing.contains(last.id) {
                things.removeAll { $0.id == last.id }
            }
            let gone = passing.randomElement(using: &random)
            things.removeAll { $0.id == gone }
            newcomers += 1
            let place = Int.random(in: 0..<1000, using: &random)
            things.append(Thing(id: "\(place)-\(newcomers)"))
        }
        let stayed = all.filter { !passing.contains($0.id) }.map(\.id)
        #expect(Set(met).count == met.count)
        let wanted = try walk(all, ("sort", sort)).filter(stayed.contains)
        #expect(met.filter(stayed.contains) == wanted)
    }

    @Test("a cursor is good for the list, the filter and the sort it came from only")
    func foreignCursors() throws {
        let cursor = try #require(
            query([("limit", "1"), ("filter", "size>0"), ("sort", "-size")]).page(of: things)
                .nextCursor
        )
        let good = [("cursor", cursor), ("filter", " size > 0"), ("sort", "-size,id")]
        #expect(try query(good).page(of: things).items.first?.id == "d")
        for (name, value) in [("filter", "size>1"), ("sort", "size")] {
            let other = good.map { $0.0 == name ? (name, value) : $0 }
            let problem = #expect(throws: Problem.self) { try query(other) }
            #expect(problem?.detail.hasPrefix("The cursor is of another") == true)
        }
        #expect(throws: Problem.self) { try query([("cursor", cursor)]) }
    }

    @Test("a made up cursor is refused, and is no trap", arguments: 0..<200)
    func garbage(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let plain = try #require(query([("limit", "1")]).page(of: things).nextCursor)
        var bytes = Array(plain.utf8)
        switch seed % 4 {
        case 0: bytes = Array(bytes.dropLast(Int.random(in: 1...bytes.count, using: &random)))
        case 1: bytes.append(contentsOf: "04ff".utf8)
        case 2: bytes[16...] = Array("0200000000000000ff".utf8)[...]
        default:
            bytes = (0..<64).map { _ in
                Array("0123456789abcdefg".utf8).randomElement(using: &random) ?? 0
            }
        }
        let cursor = String(decoding: bytes, as: UTF8.self)
        let problem = #expect(throws: Problem.self) {
            try query([("cursor", cursor)]).page(of: things)
        }
        #expect(problem?.code == .badRequest)
    }

    @Test("cursors carry every kind of value")
    func values() throws {
        let values: [FieldValue?] = [
            .text(""), .text("ä\u{0}b"), .number(.min), .number(.max), nil, .flag(true),
            .flag(false), .time(Timestamp(millisecondsSinceEpoch: -1)),
        ]
        let text = ListCursor.text(behind: values, of: "x")
        #expect(try ListCursor.position(in: text, of: "x") == values)
        #expect(text.utf8.allSatisfy { "0123456789abcdef".utf8.contains($0) })
    }

    @Test(
        "a sort of what cannot be sorted by is refused with what can",
        arguments: ["", "size,", "x", "marks", "--size", "size,-size", "a,b,c,d,e", "Size"]
    )
    func badSorts(_ sort: String) throws {
        let problem = #expect(throws: Problem.self) { try query([("sort", sort)]) }
        #expect(problem?.code == .badRequest)
        if sort == "marks" { #expect(problem?.detail.contains("only by id, size, name,") == true) }
    }

    @Test("parts of documents are those asked for and the id")
    func selection() throws {
        func part(_ fields: String, of text: String) throws -> String {
            let parameters = try QueryParameters(rawQuery: "fields=\(fields)", allowed: ["fields"])
            let selection = try #require(try FieldSelection(parameters, table))
            return String(decoding: selection.part(of: Array(text.utf8)), as: UTF8.self)
        }
        let text = #"{"id":"a","name":"x,\"size\":{[\\","size":{"id":[1,{"size":2}]},"flag":true}"#
        #expect(try part("id", of: text) == #"{"id":"a"}"#)
        #expect(try part("size", of: text) == #"{"id":"a","size":{"id":[1,{"size":2}]}}"#)
        #expect(try part("size,id,size", of: text) == #"{"id":"a","size":{"id":[1,{"size":2}]}}"#)
        for fields in ["", "x", "id,", "name"] {
            #expect(throws: Problem.self, "\(fields)") { try part(fields, of: text) }
        }
    }
}
