import MigrationCore
import Testing

@Suite("What a dead daemon's journal proves")
struct JobRecoveryTests {
    private static func device(_ name: String) throws -> DeviceID { try #require(DeviceID(name)) }

    private static func migrate(_ count: Int) throws -> JobSpec.Work {
        .migrate(
            pairs: try (0..<count).map {
                JobSpec.DevicePair(source: try device("s\($0)"), target: try device("t\($0)"))
            },
            discard: false
        )
    }

    private static func set(_ name: String, _ from: DeviceState, _ to: DeviceState) throws
        -> JournalEntry.Line
    {
        .done(
            action: "set",
            device: try device(name),
            arc: Problem.ArcNames(from: from, to: to),
            nanoseconds: 1
        )
    }

    private static func recovered(_ work: JobSpec.Work, _ lines: [JournalEntry.Line]) -> (
        state: String, code: Problem.Code?, mayRun: MayRun
    ) {
        let (state, mayRun) = work.recovered(JournalFacts(lines))
        return (state.name, state.problem?.code, mayRun)
    }

    @Test("a job that touched no device fails, and no content of it runs")
    func untouched() throws {
        let lines: [JournalEntry.Line] = [
            .accepted, .intent(action: "verify_image", device: nil, arc: nil),
        ]
        #expect(!JournalFacts(lines).didTouchDevices)
        #expect(JournalFacts(lines).isStarted)
        #expect(!JournalFacts([.accepted]).isStarted)
        for lines in [[], lines] {
            let end = Self.recovered(try Self.migrate(1), lines)
            #expect(end == ("failed", .daemonDied, .nobody))
        }
    }

    @Test("before the commit the job fails, whatever was done")
    func beforeCommit() throws {
        let lines: [JournalEntry.Line] = [
            .accepted,
            .intent(action: "set", device: try Self.device("t0"), arc: nil),
            try Self.set("t0", .running, .resuming),
            try Self.set("s0", .running, .stopCopy),
            try Self.set("s0", .stop, .running),
            .intent(action: "commit", device: nil, arc: nil),
            .failed(action: "commit", device: nil, arc: nil, problem: Problem(.storeFailed, "")),
        ]
        #expect(JournalFacts(lines).didTouchDevices)
        #expect(JournalFacts(lines).runningTargets == [])
        let end = Self.recovered(try Self.migrate(1), lines)
        #expect(end == ("failed", .daemonDied, .nobody))
        let aborted = lines + [.abort(Problem(.cancelled, ""))]
        #expect(Self.recovered(try Self.migrate(1), aborted).mayRun == .nobody)
    }

    @Test("after the commit and before the target ran nobody knows, and the job says so")
    func afterCommit() throws {
        for lines: [JournalEntry.Line] in [
            [.commit],
            [.commit, try Self.set("t0", .stop, .runningP2P)],
            [.commit, try Self.set("s0", .stopCopy, .stop)],
            [
                .commit, try Self.set("t0", .runningP2P, .running),
                try Self.set("t0", .running, .stop),
            ],
            [
                .commit,
                .failed(
                    action: "set",
                    device: try Self.device("t0"),
                    arc: Problem.ArcNames(from: .stop, to: .running),
                    problem: Problem(.deviceFailed, "")
                ),
            ],
        ] {
            let end = Self.recovered(try Self.migrate(1), lines)
            #expect(end == ("indeterminate", .daemonDied, .unknown))
        }
    }

    @Test("targets that ran are lost with the daemon, and that is no success")
    func afterStart() throws {
        let lines: [JournalEntry.Line] = [.commit, try Self.set("t0", .runningP2P, .running)]
        let end = Self.recovered(try Self.migrate(1), lines)
        #expect(end == ("failed", .contentLost, .nobody))
        let restore = JobSpec.Work.restore(
            image: try #require(ImageID("image")),
            members: [JobSpec.RestoreMember(source: nil, target: try Self.device("t0"))],
            acceptCopy: false,
            discard: false
        )
        #expect(Self.recovered(restore, lines) == ("failed", .contentLost, .nobody))
    }

    @Test("one running target of two proves nothing of the other")
    func setsStartTogether() throws {
        let one: [JournalEntry.Line] = [.commit, try Self.set("t0", .runningP2P, .running)]
        let end = Self.recovered(try Self.migrate(2), one)
        #expect(end == ("indeterminate", .daemonDied, .unknown))
        let both = one + [try Self.set("t1", .runningP2P, .running)]
        #expect(Self.recovered(try Self.migrate(2), both) == ("failed", .contentLost, .nobody))
    }

    @Test("a save whose image is sealed succeeded, though its source is gone")
    func sealedSave() throws {
        let save = JobSpec.Work.save(sources: [try Self.device("s0")], after: .stop)
        let lines: [JournalEntry.Line] = [try Self.set("s0", .running, .stopCopy)]
        #expect(Self.recovered(save, lines) == ("failed", .daemonDied, .nobody))
        let sealed =
            lines + [.done(action: "seal_image", device: nil, arc: nil, nanoseconds: 1)]
        #expect(Self.recovered(save, sealed) == ("succeeded", nil, .nobody))
        // No other kind of job is done with an image.
        #expect(Self.recovered(try Self.migrate(1), sealed).state == "failed")
    }

    @Test("a line that cannot be read may have been the commit")
    func unreadable() throws {
        let unreadable = JournalEntry.Line.unreadable(reason: "damaged")
        let migrate = try Self.migrate(1)
        let undecided = Self.recovered(migrate, [.accepted, unreadable])
        #expect(undecided == ("indeterminate", .storeFailed, .unknown))
        let ran = [unreadable, .commit, try Self.set("t0", .runningP2P, .running)]
        #expect(Self.recovered(migrate, ran) == ("failed", .contentLost, .nobody))
        let committed = Self.recovered(migrate, [.commit, unreadable])
        #expect(committed == ("indeterminate", .daemonDied, .unknown))
    }

    @Test("every recovered job has ended, and never may a source run")
    func everyPrefix() throws {
        let works = [
            try Self.migrate(2), .save(sources: [try Self.device("s0")], after: .run),
            .reset(devices: [try Self.device("s0")]),
        ]
        let lines: [JournalEntry.Line] = [
            .accepted, .intent(action: "set", device: try Self.device("t0"), arc: nil),
            try Self.set("t0", .running, .resuming), .cancelRequested, .switchoverRequested,
            .commit, try Self.set("t0", .stop, .running), try Self.set("t1", .stop, .running),
            try Self.set("s0", .stopCopy, .stop),
            .done(action: "reset", device: try Self.device("s0"), arc: nil, nanoseconds: 1),
            .finished(state: "succeeded"),
        ]
        for work in works {
            for count in 0...lines.count {
                let (state, mayRun) = work.recovered(JournalFacts(lines.prefix(count)))
                #expect(state.isTerminal)
                #expect(mayRun == .nobody || mayRun == .unknown)
                #expect(state != .succeeded)
            }
        }
    }
}
