import MigrationCore
import SimulatedDevices
import Testing

@Suite("The text of a simulation")
struct SpecTests {
    @Test("every key is read")
    func keys() throws {
        let spec = try SimulationSpec.parse(
            "mlx5:count=3,state=64MiB,dirty=20KiB,arc=250us,seed=18446744073709551615,"
                + "fault=arc:*-STOP_COPY:EIO:1,fault=read:ERROR:7+@sim-2"
        )
        #expect(
            spec
                == SimulationSpec(
                    .mlx5,
                    count: 3,
                    stateByteCount: 64 << 20,
                    dirtyBytesPerSecond: 20 << 10,
                    arcLatency: .microseconds(250),
                    seed: .max,
                    faults: [
                        Fault(.arc(from: nil, to: .stopCopy), .errno(.io)),
                        Fault(
                            .read,
                            .errorState,
                            occurrence: 7,
                            isRepeated: true,
                            device: DeviceID("sim-2")
                        ),
                    ]
                )
        )
    }

    @Test("a profile alone has the defaults of its driver")
    func defaults() throws {
        for profile in DeviceProfile.all {
            let spec = try SimulationSpec.parse(profile.name)
            #expect(spec == SimulationSpec(profile))
            #expect(spec.count == 1)
            #expect(spec.stateByteCount == profile.defaultStateByteCount)
            #expect(spec.dirtyBytesPerSecond == 0)
        }
    }

    @Test("every operation and outcome of a fault is read")
    func faults() throws {
        let operations: [(String, Fault.Operation)] = [
            ("open", .open), ("reset", .reset), ("detach", .detach), ("get", .get),
            ("data_size", .dataSize), ("read", .read), ("write", .write),
            ("precopy_info", .preCopyInfo), ("arc:*-*", .arc(from: nil, to: nil)),
            ("arc:STOP-RESUMING", .arc(from: .stop, to: .resuming)),
        ]
        let outcomes: [(String, Fault.Outcome)] = [
            ("EIO", .errno(.io)), ("EHWPOISON", .errno(Errno(number: 133))),
            ("ERROR", .errorState), ("ASYNC_ERROR", .errorAfterwards),
            ("DELAY=5ms", .delay(.milliseconds(5))), ("DELAY=0ns", .delay(.zero)),
            ("DELAY=3600s", .delay(.seconds(3600))), ("HANG", .hang),
        ]
        for (operation, parsedOperation) in operations {
            for (outcome, parsedOutcome) in outcomes {
                #expect(
                    try Fault.parse("\(operation):\(outcome):2+@sim-3")
                        == Fault(
                            parsedOperation,
                            parsedOutcome,
                            occurrence: 2,
                            isRepeated: true,
                            device: DeviceID("sim-3")
                        )
                )
            }
        }
        #expect(try Fault.parse("read:SHORT=1KiB:1") == Fault(.read, .short(byteCount: 1024)))
        #expect(try Fault.parse("write:SHORT=1:1") == Fault(.write, .short(byteCount: 1)))
        #expect(try Fault.parse("read:EOF:1") == Fault(.read, .short(byteCount: 0)))
    }

    @Test(
        "what is wrong in a fault is named",
        arguments: [
            ("ioctl:EIO:1", "\"ioctl\""), ("arc:STOP-HERE:EIO:1", "\"HERE\""),
            ("arc:STOP:EIO:1", "FROM-TO"), ("read:EHUH:1", "\"EHUH\""),
            ("read:EIO:0", "\"0\""), ("read:EIO", "OPERATION:OUTCOME:N"),
            ("get:SHORT=4:1", "\"SHORT=4\""), ("read:DELAY=7:1", "\"7\""),
            ("read:EIO:1@a b", "\"a b\""),
        ]
    )
    func namedMistakes(text: String, part: String) {
        let problem = #expect(throws: Problem.self) { try Fault.parse(text) }
        #expect(problem?.code == .invalidField)
        #expect(problem?.detail.contains(part) == true, "\(problem?.detail ?? "")")
    }

    @Test("the bounds of every number belong to it")
    func bounds() throws {
        for text in [
            "count=1", "count=1024", "state=16", "state=1024GiB", "dirty=0", "dirty=1024GiB",
            "arc=0s", "arc=3600s", "seed=0",
        ] {
            #expect(throws: Never.self) { try SimulationSpec.parse("qat:" + text) }
        }
    }

    @Test(
        "a value that is none is refused, and the key at fault is named",
        arguments: [
            "count=0", "count=1025", "count=-1", "count=", "count=1.5", "count= 1", "count=1 ",
            "count=99999999999999999999999", "count=0x10", "count=1_000", "count=+1",
            "count=\u{661}",
            "state=8", "state=0", "state=17", "state=1025GiB", "state=1KB", "state=KiB",
            "state=1kib", "state=99999999999999999GiB", "state=1TiB", "state=1MiBMiB",
            "dirty=-1", "dirty=1025GiB", "dirty=1/s", "arc=5", "arc=5m", "arc=-5ms", "arc=ms",
            "arc=3601s", "arc=18446744073709551615s", "arc=9223372036854775808ns", "arc=1.5ms",
            "seed=18446744073709551616", "seed=a", "fault=", "fault=arc", "fault=arc:STOP:EIO:1",
            "fault=arc:STOP-NOWHERE:EIO:1", "fault=arc:STOP-STOP_COPY:EWHAT:1",
            "fault=arc:STOP-STOP_COPY:EIO:0", "fault=arc:STOP-STOP_COPY:EIO:-1",
            "fault=arc:STOP-STOP_COPY:EIO:", "fault=arc:STOP-STOP_COPY:EIO",
            "fault=arc:STOP-STOP_COPY:EIO:1:1", "fault=arc:A-B-C:EIO:1", "fault=read:EIO:1@",
            "fault=read:EIO:1@a/b", "fault=read:EIO:1@a@b", "fault=read:EIO:+", "fault=ioctl:EIO:1",
            "fault=:::", "fault=read:E5:1", "fault=read:E41:1", "fault=get:SHORT=1:1",
            "fault=read:SHORT=0:1", "fault=read:SHORT=:1", "fault=read:SHORT:1",
            "fault=write:SHORT=2GiB:1", "fault=write:EOF:1", "fault=get:EOF:1",
            "fault=read:DELAY:1", "fault=read:DELAY=5:1", "fault=read:DELAY=3601s:1",
            "fault=read:DELAY=-1s:1", "fault=read:HANG=1s:1", "fault=read:hang:1",
            "fault=read:ASYNC:1", "fault=close:EIO:1", "fault=data-size:EIO:1",
        ]
    )
    func badValues(setting: String) throws {
        let problem = #expect(throws: Problem.self) { try SimulationSpec.parse("qat:" + setting) }
        #expect(problem?.code == .invalidField)
        let key = setting.prefix { $0 != "=" }
        #expect(problem?.detail.contains("\"\(key)\"") == true, "\(problem?.detail ?? "")")
    }

    @Test(
        "a text that is no simulation is refused",
        arguments: [
            "", ":", "mlx4", "MLX5", " mlx5", "mlx5:", "mlx5:,", "mlx5:count=1,", "mlx5:count",
            "mlx5:=1", "mlx5:colour=red", "mlx5:count=1,count=2", "mlx5::count=1", "mlx5\0",
            "mlx5:seed=1;count=2",
        ]
    )
    func badTexts(text: String) {
        let problem = #expect(throws: Problem.self) { try SimulationSpec.parse(text) }
        #expect(problem?.code == .invalidField)
    }

    @Test("what a problem repeats of a hostile text is short and printable")
    func echo() {
        for text in [
            String(repeating: "x", count: 4096), "\u{1b}[2J", "mlx5:\u{1b}[2J=\u{7}",
            "mlx5:count=\n\r\u{202e}" + String(repeating: "\u{1F600}", count: 500),
        ] {
            let problem = #expect(throws: Problem.self) { try SimulationSpec.parse(text) }
            let detail = problem?.detail ?? ""
            #expect(detail.unicodeScalars.count < 300)
            #expect(
                detail.unicodeScalars.allSatisfy { $0 == "…" || (0x20..<0x7f).contains($0.value) }
            )
        }
        let long = "mlx5:" + Array(repeating: "fault=read:EIO:1", count: 300).joined(separator: ",")
        #expect(throws: Problem.self) { try SimulationSpec.parse(long) }
        let many = "mlx5:" + Array(repeating: "fault=read:EIO:1", count: 65).joined(separator: ",")
        #expect(throws: Problem.self) { try SimulationSpec.parse(many) }
    }

    @Test("no text ends the program, and what is accepted is within its bounds")
    func randomTexts() {
        var generator = SeededGenerator(seed: 2026)
        let pieces = [
            "mlx5", "qat", ":", ",", "=", "count", "state", "dirty", "arc", "seed", "fault", "1",
            "0", "16", "99999999999999999999", "KiB", "GiB", "ms", "s", "-", "*", "@", "+", "EIO",
            "ERROR", "STOP", "read", "sim-0", "\u{0}", "\u{e9}", " ",
        ]
        var accepted = 0
        for _ in 0..<20_000 {
            let count = Int.random(in: 1...9, using: &generator)
            let text = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }
            guard let spec = try? SimulationSpec.parse(text.joined()) else { continue }
            accepted += 1
            #expect((1...1024).contains(spec.count))
            #expect((16...1 << 40).contains(spec.stateByteCount))
            #expect(spec.stateByteCount % 8 == 0)
        }
        #expect(accepted > 0)
    }
}
