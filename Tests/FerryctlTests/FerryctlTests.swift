import APIClient
import APISchema
import ArgumentParser
import JSONCoding
import Testing

@testable import ferryctl

@Suite("ferryctl tells people what the server said")
struct FerryctlTests {
    @Test("columns are aligned and the last has no spaces at its end")
    func tables() {
        var table = Table("A", "LONG", "C")
        table.add("1234", nil, "x")
        table.add("", "\u{1b}[2J", "yy")
        table.addContinuation("z")
        let lines = [
            "A     LONG       C", "1234  -          x", "-     \\u{1b}[2J  yy",
            "                 z", "",
        ]
        #expect(table.text == lines.joined(separator: "\n"))
    }

    @Test("facts that are not there are left out")
    func facts() {
        var facts = FactList()
        facts.add("a", "1")
        facts.add("none", nil)
        facts.add("list", [])
        facts.add("long", ["x", "y"])
        #expect(facts.text(indent: " ") == " a     1\n long  x, y\n")
    }

    @Test("a vfio-user device shows its socket, and why its migration is unknown")
    func vfioUserDevice() {
        var device = DeviceDTO(
            id: "vfiouser-net0",
            backend: "vfio_user",
            bus: "vfio_user",
            address: "/run/net0.sock",
            migration: MigrationSupportDTO(
                kind: "unknown",
                flags: [],
                source: nil,
                probedAt: nil,
                reason: "It is not asked."
            )
        )
        device.vfioUser = SocketFactsDTO(socket: "missing")
        #expect(
            DeviceReport.table([device]).split(separator: "\n").last
                == "vfiouser-net0  -       unknown    socket missing  -        -        -"
        )
        device.vfioUser = SocketFactsDTO(socket: "present")
        device.vfioUser?.mode = "0660"
        device.vfioUser?.uid = 0
        device.vfioUser?.gid = 36
        let text = DeviceReport.text(device)
        #expect(text.contains("socket     present\nmode       0660\nowner      uid 0, gid 36\n"))
        #expect(text.contains("migration  unknown\n           It is not asked.\n"))
    }

    @Test(
        "bytes are told in the unit that fits",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
            (1_048_575, "1023.9 KiB"), (1_048_576, "1.0 MiB"), (.max, "7.9 EiB"),
        ] as [(Int64, String)]
    )
    func quantities(_ count: Int64, _ text: String) {
        #expect(bytes(count) == text)
    }

    @Test(
        "durations are told in the unit that fits",
        arguments: [
            (0, "0 us"), (999, "999 us"), (1000, "1.000 ms"), (58_007, "58.007 ms"),
            (1_234_567, "1.234 s"),
        ] as [(Int64, String)]
    )
    func durations(_ microseconds: Int64, _ text: String) {
        #expect(duration(microseconds: microseconds) == text)
    }

    @Test("a rate is read with its unit")
    func rates() {
        #expect(ByteQuantity(argument: "4096")?.byteCount == 4096)
        #expect(ByteQuantity(argument: "20MiB")?.byteCount == 20 << 20)
        for bad in ["", "MiB", "0", "-1", "1.5MiB", "99999999999GiB", "1MB"] {
            #expect(ByteQuantity(argument: bad) == nil, "\(bad)")
        }
    }

    @Test("each way to fail has its own exit code")
    func exitCodes() throws {
        let server = try #require(ServerAddress("tcp:h:1"))
        let problem = { ProblemDTO(code: "c", title: "t", status: $0, detail: "d") }
        #expect(ferryctl.ExitStatus(.unreachable(server: server, detail: "")) == .unreachable)
        #expect(ferryctl.ExitStatus(.refused(problem(409))) == .refused)
        #expect(ferryctl.ExitStatus(.refused(problem(500))) == .serverFailed)
        #expect(ferryctl.ExitStatus(.notUnderstood(status: 200, detail: "")) == .serverFailed)
        let ends: [(state: String, status: ferryctl.ExitStatus)] = [
            ("succeeded", .success), ("failed", .jobFailed), ("cancelled", .jobCancelled),
            ("indeterminate", .jobIndeterminate), ("something new", .timeIsOver),
        ]
        for (state, status) in ends {
            #expect(ferryctl.ExitStatus(endOf: Self.job(state)) == status)
        }
    }

    @Test("who cannot go on watching a job is told how to find it again")
    func watching() throws {
        let server = try #require(ServerAddress("tcp:h:1"))
        let gone = ClientProblem.unreachable(server: server, detail: "Gone.")
        guard case .unreachable(_, let detail) = gone.whileFollowing("job-7") else {
            Issue.record("it is not unreachable any more")
            return
        }
        #expect(detail.hasPrefix("Gone. "))
        #expect(detail.contains("ferryctl job job-7 --wait"))
        let other = ClientProblem.notUnderstood(status: 200, detail: "?")
        #expect(other.whileFollowing("job-7") == other)
    }

    @Test("every exit code is in the help")
    func documentedExitCodes() {
        let help = Ferryctl.helpMessage()
        for code in ferryctl.ExitStatus.allCases {
            #expect(help.contains("\n  \(code.rawValue)  "), "\(code)")
        }
    }

    @Test("the facts of a problem are told: holder, job, arc, errno")
    func problems() {
        var problem = ProblemDTO(code: "device-busy", title: "t", status: 409, detail: "d")
        problem.holders = [HolderDTO(pid: 42, command: "qemu\u{7}", uid: 107)]
        problem.blockingJob = "j-1"
        problem.arc = ArcDTO(from: nil, to: "stop")
        problem.errno = "EBUSY"
        let text = Printer.facts(of: problem).text()
        for fact in ["pid 42 (qemu\\u{7}), uid 107", "j-1", "? -> stop", "EBUSY", "(409)"] {
            #expect(text.contains(fact), "\(fact)")
        }
    }

    @Test("JSON is the same JSON and steers no terminal")
    func harmlessJSON() throws {
        let output = CapturedOutput()
        let text = "\u{1b}[2J \u{9b}2J \u{7f} ä \u{a0}"
        let problem = ProblemDTO(code: "c", title: text, status: 409, detail: "d")
        output.printer(isJSON: true).show(problem, "")
        let line = output.outputText.dropLast()
        #expect(line.unicodeScalars.allSatisfy { !(0..<0x20).contains($0.value) })
        #expect(line.unicodeScalars.allSatisfy { !(0x7F...0x9F).contains($0.value) })
        #expect(line.contains("\\u009b2J"))
        let read = try JSONReader.decode(
            ProblemDTO.self,
            from: Array(line.utf8),
            unknownFields: .refuse
        )
        #expect(read == problem)
    }

    @Test("a job's route is its sources and targets")
    func routes() {
        var job = Self.job("running")
        job.devices = [
            JobDeviceDTO(device: "a", side: "source", transferredBytes: 0, arcs: []),
            JobDeviceDTO(device: "b", side: "target", transferredBytes: 0, arcs: []),
        ]
        #expect(JobReport.route(job) == "a -> b")
        job.devices.removeFirst()
        #expect(JobReport.route(job) == "b")
    }

    static func job(_ state: String) -> JobDTO {
        JobDTO(
            id: "j",
            kind: "save",
            state: state,
            generation: 1,
            limits: JobLimitsDTO(
                bandwidthBytesPerSecond: nil,
                downtimeMs: 300,
                completionTimeoutS: 3600,
                progressTimeoutS: nil,
                onTimeout: "cancel"
            ),
            switchover: SwitchoverDTO(mode: "auto", ready: false, blockedBy: []),
            mayRun: "source",
            cancellable: false,
            requestedBy: "uid:0",
            createdAt: "2026-11-23T07:52:00.008Z"
        )
    }
}
