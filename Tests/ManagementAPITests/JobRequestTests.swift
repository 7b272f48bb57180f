import APISchema
import MigrationCore
import Testing

@testable import ManagementAPI

@Suite("A job request is read strictly")
struct JobRequestTests {
    private func spec(_ text: String) throws(Problem) -> JobSpec {
        try JobSpec(RequestBody.decode(JobRequestDTO.self, from: Array(text.utf8)))
    }

    private func problem(_ text: String) -> Problem? {
        do throws(Problem) { _ = try spec(text) } catch { return error }
        return nil
    }

    @Test("a save of one device has the defaults")
    func save() throws {
        let spec = try spec(#"{"kind":"save","devices":[{"source":"sim-0"}]}"#)
        let source = try #require(DeviceID("sim-0"))
        #expect(spec == JobSpec(work: .save(sources: [source], after: .run)))
        #expect(spec.limits.downtimeMilliseconds == 300)
    }

    @Test("every field of a migrate arrives")
    func migrate() throws {
        let spec = try spec(
            """
            {"kind":"migrate","id":"m-1","devices":[{"source":"a","target":"b"}],
             "limits":{"bandwidth_bytes_per_second":4096,"downtime_ms":1,"completion_timeout_s":7},
             "switchover":{"mode":"manual"},"discard_target_content":true,"labels":{"k":"v"}}
            """
        )
        let a = try #require(DeviceID("a"))
        let b = try #require(DeviceID("b"))
        var expected = JobSpec(
            id: JobID("m-1"),
            work: .migrate(pairs: [.init(source: a, target: b)], discard: true),
            switchoverMode: .manual,
            labels: ["k": "v"]
        )
        expected.limits = .init(
            bandwidthBytesPerSecond: 4096,
            downtimeMilliseconds: 1,
            completionTimeoutSeconds: 7
        )
        #expect(spec == expected)
    }

    @Test("a restore may name the image's member, even the target itself")
    func restore() throws {
        let spec = try spec(
            """
            {"kind":"restore","image":"i","devices":[{"source":"a","target":"a"},{"target":"b"}],
             "accept_copy":true}
            """
        )
        guard case .restore(let image, let members, let acceptCopy, let discard) = spec.work
        else {
            Issue.record("not a restore")
            return
        }
        #expect(image.text == "i")
        #expect(members.map(\.source?.text) == ["a", nil])
        #expect(members.map(\.target.text) == ["a", "b"])
        #expect(acceptCopy && !discard)
    }

    @Test(
        "a field at fault is refused with its pointer",
        arguments: [
            (#"{"kind":"destroy","devices":[{"source":"a"}]}"#, "/kind"),
            (#"{"kind":"receive","devices":[{"source":"a"}]}"#, "/kind"),
            (#"{"kind":"save","devices":[]}"#, "/devices"),
            (#"{"kind":"save"}"#, "/devices"),
            (#"{"devices":[{"source":"a"}]}"#, "/kind"),
            (#"{"kind":7,"devices":[{"source":"a"}]}"#, "/kind"),
            (#"{"kind":"save","devices":[{"source":"a/b"}]}"#, "/devices/0/source"),
            (#"{"kind":"save","devices":[{"source":""}]}"#, "/devices/0/source"),
            (#"{"kind":"save","devices":[{}]}"#, "/devices/0/source"),
            (#"{"kind":"save","devices":[{"source":"a","target":"b"}]}"#, "/devices/0/target"),
            (#"{"kind":"save","devices":[{"source":"a"},{"source":"a"}]}"#, "/devices/1/source"),
            (#"{"kind":"migrate","devices":[{"source":"a"}]}"#, "/devices/0/target"),
            (#"{"kind":"migrate","devices":[{"source":"a","target":"a"}]}"#, "/devices/0/target"),
            (
                #"{"kind":"migrate","devices":[{"source":"a","target":"b"},{"source":"b","target":"c"}]}"#,
                "/devices/1/source"
            ),
            (#"{"kind":"restore","devices":[{"target":"a"}]}"#, "/image"),
            (#"{"kind":"restore","image":"..","devices":[{"target":"a"}]}"#, "/image"),
            (#"{"kind":"restore","image":"i","devices":[{"source":"a"}]}"#, "/devices/0/target"),
            (#"{"kind":"save","image":"i","devices":[{"source":"a"}]}"#, "/image"),
            (
                #"{"kind":"migrate","after":"stop","devices":[{"source":"a","target":"b"}]}"#,
                "/after"
            ),
            (#"{"kind":"save","after":"burn","devices":[{"source":"a"}]}"#, "/after"),
            (#"{"kind":"save","accept_copy":true,"devices":[{"source":"a"}]}"#, "/accept_copy"),
            (
                #"{"kind":"reset","discard_target_content":false,"devices":[{"source":"a"}]}"#,
                "/discard_target_content"
            ),
            (#"{"kind":"save","switchover":{},"devices":[{"source":"a"}]}"#, "/switchover"),
            (
                #"{"kind":"migrate","switchover":{"mode":"x"},"devices":[{"source":"a","target":"b"}]}"#,
                "/switchover/mode"
            ),
            (
                #"{"kind":"save","limits":{"downtime_ms":0},"devices":[{"source":"a"}]}"#,
                "/limits/downtime_ms"
            ),
            (
                #"{"kind":"save","limits":{"downtime_ms":1e3},"devices":[{"source":"a"}]}"#,
                "/limits/downtime_ms"
            ),
            (
                #"{"kind":"reset","limits":{"downtime_ms":9},"devices":[{"source":"a"}]}"#,
                "/limits/downtime_ms"
            ),
            (
                #"{"kind":"save","limits":{"bandwidth_bytes_per_second":99999999999999999999},"devices":[{"source":"a"}]}"#,
                "/limits/bandwidth_bytes_per_second"
            ),
            (
                #"{"kind":"save","limits":{"bandwidth_bytes_per_second":-1},"devices":[{"source":"a"}]}"#,
                "/limits/bandwidth_bytes_per_second"
            ),
            (#"{"kind":"save","id":"a b","devices":[{"source":"a"}]}"#, "/id"),
            (#"{"kind":"save","labels":{"":"x"},"devices":[{"source":"a"}]}"#, "/labels"),
            (#"{"kind":"save","labels":{"k":1},"devices":[{"source":"a"}]}"#, "/labels/k"),
            (#"{"kind":"sa\u0000ve","devices":[{"source":"a"}]}"#, "/kind"),
            (#"[]"#, ""),
        ]
    )
    func invalidFields(_ text: String, _ pointer: String) {
        let problem = problem(text)
        #expect(problem?.code == .invalidField, "\(problem?.detail ?? "accepted")")
        #expect(problem?.facts.pointer == pointer)
    }

    @Test(
        "a field Ferry does not know is refused with its pointer",
        arguments: [
            (#"{"kind":"save","devices":[{"source":"a"}],"peer":"b"}"#, "/peer"),
            (#"{"kind":"save","devices":[{"source":"a","x":1}]}"#, "/devices/0/x"),
            (#"{"kind":"save","devices":[],"limits":{"downtimeMs":3}}"#, "/limits/downtimeMs"),
        ]
    )
    func unknownFields(_ text: String, _ pointer: String) {
        #expect(problem(text)?.code == .unknownField)
        #expect(problem(text)?.facts.pointer == pointer)
    }

    @Test(
        "what is no JSON of ours is a bad request",
        arguments: [
            "", "{", "{}x", #"{"kind":"save","kind":"reset"}"#, "\u{0}",
            String(repeating: "[", count: 100),
        ]
    )
    func malformed(_ text: String) {
        #expect(problem(text)?.code == .badRequest)
    }
}
