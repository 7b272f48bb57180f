import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("A filter picks what it says")
struct FilterTests {
    private struct Thing: Sendable {
        var name = "alpha"
        var count: Int64?
        var at: Timestamp?
        var isOn = false
        var flags: [String] = []
        var labels: [String: String] = [:]
    }

    private let table = FieldTable<Thing>(
        list: "things",
        order: "name",
        members: [],
        fields: [
            .text("name") { $0.name }, .number("size.count") { $0.count }, .time("at") { $0.at },
            .flag("on") { $0.isOn }, .set("flags") { $0.flags }, .map("labels") { $0.labels },
        ]
    )

    private func holds(_ text: String, _ thing: Thing) throws -> Bool {
        try Filter(text, table).matches(thing)
    }

    @Test("each type by each of its comparators")
    func types() throws {
        let thing = Thing(
            name: "alpha-1",
            count: 5,
            at: Timestamp(rfc3339: "2026-11-23T07:50:53.120Z"),
            isOn: true,
            flags: ["p2p", "pre_copy"],
            labels: ["ticket": "OPS-1", "a b": "c"]
        )
        for text in [
            "name=alpha-1", "name!=alpha", "name:pha", "name:\"\"", "size.count=5",
            "size.count!=4", "size.count<6", "size.count<=5", "size.count>-1", "size.count>=5",
            "at=2026-11-23T08:50:53.120+01:00", "at<2026-11-23T07:50:53.121Z", "on=true",
            "on!=false", "on", "flags:p2p", "flags", "labels.ticket=OPS-1", "\"labels.a b\":c",
        ] {
            #expect(try holds(text, thing), "\(text)")
            #expect(try !holds("not \(text)", thing), "\(text)")
        }
        for text in ["name=Alpha-1", "size.count<5", "flags:pre", "labels.other", "on=false"] {
            #expect(try !holds(text, thing), "\(text)")
        }
    }

    @Test("nothing compares with a field that is not there, and not turns that around")
    func missing() throws {
        for text in [
            "size.count=5", "size.count!=5", "size.count<5", "labels.x!=1", "flags:p2p",
            "size.count", "at", "labels.x", "flags", "on",
        ] {
            #expect(try !holds(text, Thing()), "\(text)")
            #expect(try holds("not \(text)", Thing()), "\(text)")
        }
    }

    @Test("and, or and not")
    func logic() throws {
        let thing = Thing(name: "a", count: 1)
        #expect(try holds("name=a and size.count=1", thing))
        #expect(try !holds("name=a and size.count=2", thing))
        #expect(try holds("name=b or size.count=1", thing))
        #expect(try !holds("name=b or size.count=2", thing))
        #expect(try holds("name=a or name=a and size.count=2", thing))
        #expect(try !holds("(name=a or name=a) and size.count=2", thing))
    }

    @Test(
        "what a field cannot be asked is refused at its column",
        arguments: [
            ("name=a and nmae=b", 12, "There is no field nmae to filter things by"),
            ("labels.=a", 1, "There is no field labels."), ("labels=a", 1, "There is no field"),
            ("name<b", 5, "name is a text: expected = != :, found <."),
            ("flags=p2p", 6, "flags is a set: expected :"),
            ("size.count:5", 11, "size.count is a number: expected = != < <= > >=, found :."),
            ("size.count > many", 14, "size.count is a number, and many is not."),
            ("size.count=+5", 12, "size.count is a number"),
            ("size.count=9223372036854775808", 12, "size.count is a number"),
            ("at>yesterday", 4, "at is an RFC 3339 time, and yesterday is not."),
            ("on=yes", 4, "on is true or false, and yes is not."),
            ("on>true", 3, "on is true or false: expected = !="),
        ]
    )
    func refused(_ text: String, _ column: Int, _ beginning: String) {
        let problem = #expect(throws: Problem.self) { try Filter(text, table) }
        #expect(problem?.code == .badFilter)
        #expect(problem?.facts.column == column)
        #expect(problem?.detail.hasPrefix(beginning) == true, "\(problem?.detail ?? "")")
    }

    @Test("who asks for a field that is not there is told those there are")
    func unknownField() {
        let problem = #expect(throws: Problem.self) { try Filter("x=1", table) }
        #expect(
            problem?.detail.hasSuffix("there are name, size.count, at, on, flags, labels.*.")
                == true
        )
    }
}
