import MigrationCore
import Testing

@Suite("A traceparent is what W3C Trace Context says")
struct TraceParentTests {
    static let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    static let parent = "00f067aa0ba902b7"

    @Test(
        "valid ones tell their trace",
        arguments: [
            "00-\(trace)-\(parent)-01", "00-\(trace)-\(parent)-00", "cc-\(trace)-\(parent)-ff",
            "01-\(trace)-\(parent)-01-what-comes-later",
        ]
    )
    func valid(_ text: String) throws {
        let parsed = try #require(TraceParent(text))
        #expect(parsed.text == text)
        #expect(parsed.traceID == Self.trace)
    }

    @Test(
        "invalid ones are none",
        arguments: [
            "", "00", "00-\(trace)-\(parent)", "00-\(trace)-\(parent)-1",
            "00-\(trace)-\(parent)-01-more", "00-\(trace)-\(parent)-01-",
            "01-\(trace)-\(parent)-011",
            "ff-\(trace)-\(parent)-01", "0g-\(trace)-\(parent)-01", "00-\(trace)-\(parent)-0x",
            "00-\(trace.uppercased())-\(parent)-01", "00_\(trace)-\(parent)-01",
            "00-00000000000000000000000000000000-\(parent)-01", "00-\(trace)-0000000000000000-01",
            "01-\(trace)-\(parent)-01-a b",
            "01-\(trace)-\(parent)-01-" + String(repeating: "x", count: 250),
        ]
    )
    func invalid(_ text: String) { #expect(TraceParent(text) == nil) }
}
