import MigrationCore

/// Values of every shape the store has to keep.
enum Samples {
    static let time = Timestamp(millisecondsSinceEpoch: 1_795_420_253_120)

    static func job(_ name: String, state: JobState = .queued) throws -> Job {
        let spec = JobSpec(work: .reset(devices: [try id("sim-0")]))
        var job = Job(id: try id(name), spec: spec, requestedBy: "uid:0", createdAt: time)
        job.state = state
        return job
    }

    /// A problem with every fact.
    static func fullProblem(_ code: Problem.Code) throws -> Problem {
        var facts = Problem.Facts(device: try id("sim-0"), operation: "read", errno: .io)
        facts.session = try id("session-1")
        facts.image = try id("image-1")
        facts.arc = Problem.ArcNames(from: .preCopyP2P, to: .stopCopy)
        facts.blockingJob = try id("job-9")
        facts.holders = [Problem.Holder(pid: 42, command: "qemu \"x\"\u{1F6A2}", uid: 107)]
        facts.pointer = "/devices/0/source"
        facts.content = .lost
        facts.reasons = ["one", "two\nlines"]
        facts.retryAfterSeconds = 3
        facts.allow = ["GET", "DELETE"]
        return Problem(code, "a sentence with \u{FC}mlauts", facts)
    }

    static func works() throws -> [JobSpec.Work] {
        let (source, target): (DeviceID, DeviceID) = (try id("sim-0"), try id("pci-0000:41:00.3"))
        return [
            .save(sources: [source, target], after: .run),
            .save(sources: [source], after: .stop),
            .restore(
                image: try id("image-1"),
                members: [
                    JobSpec.RestoreMember(source: nil, target: target),
                    JobSpec.RestoreMember(source: source, target: target),
                ],
                acceptCopy: true,
                discard: false
            ),
            .migrate(pairs: [JobSpec.DevicePair(source: source, target: target)], discard: true),
            .reset(devices: [target]),
        ]
    }

    static func states() throws -> [JobState] {
        [
            .queued, .running, .cancelling, .succeeded, .cancelled,
            .failed(try fullProblem(.deviceFailed)),
            .indeterminate(Problem(.daemonDied, "the daemon died")),
        ]
    }

    static func lines() throws -> [JournalEntry.Line] {
        let device: DeviceID = try id("sim-0")
        let arcs = [
            nil, Problem.ArcNames(from: nil, to: .error),
            Problem.ArcNames(from: .running, to: .runningP2P),
        ]
        let problem = try fullProblem(.deviceFailed)
        return arcs.flatMap { arc -> [JournalEntry.Line] in
            [
                .intent(action: "set", device: device, arc: arc),
                .done(action: "set", device: nil, arc: arc, nanoseconds: 1 << 60),
                .failed(action: "set", device: device, arc: arc, problem: problem),
            ]
        } + [
            .accepted, .cancelRequested, .switchoverRequested, .abort(problem), .commit,
            .finished(state: "succeeded"), .recovered(note: "a note"),
            .switchoverForced(reason: "no progress"), .resolved(.nobody),
            .limitsChanged(JobSpec.Limits(progressTimeoutSeconds: 9, onTimeout: .switchOver)),
        ]
    }

    static func topics() throws -> [Event.Topic] {
        let device: DeviceID = try id("sim-0")
        return [
            .jobChanged(try id("job-1"), generation: 7, state: "running", phase: nil),
            .jobChanged(try id("job-1"), generation: 8, state: "running", phase: .stopCopy),
            .sessionChanged(try id("session-1"), device, status: "open", content: .live),
            .imageChanged(try id("image-1"), exists: false),
            .deviceAlert(device, "unplug_requested"),
            .deviceChanged(device),
            .deviceGone(device),
        ]
    }

    /// A job in which nothing is left out.
    static func fullJob(_ name: String, work: JobSpec.Work, state: JobState) throws -> Job {
        let spec = JobSpec(
            id: try id(name),
            work: work,
            limits: JobSpec.Limits(
                bandwidthBytesPerSecond: 1 << 40,
                downtimeMilliseconds: 0,
                completionTimeoutSeconds: 1,
                progressTimeoutSeconds: 5,
                onTimeout: .goOn
            ),
            switchoverMode: .manual,
            hasNoPeerMappings: true,
            labels: ["camelCase_and_snake": "value", "": "", "\u{1F6A2}": "\u{0}x".trimmed]
        )
        var job = Job(id: try id(name), spec: spec, requestedBy: "uid:0", createdAt: time)
        job.startedAt = time
        job.finishedAt = Timestamp(millisecondsSinceEpoch: -1)
        job.state = state
        job.phase = .awaitingSwitchover
        job.generation = UInt64(Int64.max)
        job.phaseTimes = JobPhase.allCases.map { PhaseTime(phase: $0, startedAt: time) }
        job.phaseTimes[0].nanoseconds = 5
        job.devices = try DeviceState.allCases.map { try device(in: $0) }
        job.mayRun = .unknown
        job.image = try id("image-1")
        job.warnings = ["a warning"]
        job.actualDowntimeNanoseconds = 250_000_000
        job.roundCount = 3
        job.changedLimits = ChangedLimits(limits: JobSpec.Limits(), revision: 2)
        return job
    }

    private static func device(in state: DeviceState) throws -> JobDevice {
        var device = JobDevice(device: try id("sim-\(state.rawValue)"), side: .target)
        device.vfioState = state
        device.content = .loaded
        device.initialBytes = 0
        device.dirtyBytes = 1
        device.stopCopyBytes = 1 << 50
        device.transferredBytes = 3
        device.arcs = [
            ArcTime(from: .stop, to: state, nanoseconds: 1, errno: nil),
            ArcTime(from: state, to: .stop, nanoseconds: 2, errno: .noDevice),
        ]
        return device
    }

    static func sessions() throws -> [SessionRecord] {
        let origins: [SessionRecord.Origin] = [.opened, .adopted, .simulated]
        let contents: [DeviceContent] = [.empty, .live, .loaded, .lost]
        let statuses: [SessionRecord.Status] = [.open, .collected, .closed, .lost]
        return try (0..<12).map { index in
            var session = SessionRecord(
                id: try id("session-\(index)"),
                device: try id("sim-0"),
                origin: origins[index % 3],
                content: contents[index % 4],
                isReproducible: index.isMultiple(of: 2),
                openedAt: time
            )
            session.status = statuses[index / 3]
            // Live: the others have none.
            if index == 1 { session.sidecar = Sidecar((0...255).map { UInt8($0) }) }
            if index > 5 {
                session.closedAt = time
                session.note = "closed"
            }
            return session
        }
    }

    static func image(_ name: String) throws -> ImageRecord {
        var members = try (0..<3).map { index in
            ImageRecord.Member(
                device: try id("sim-\(index)"),
                driver: index == 0 ? nil : "mlx5_vfio_pci",
                vendorID: index == 0 ? nil : UInt32.max,
                deviceID: index == 0 ? nil : 0,
                flags: 7,
                byteCount: UInt64(Int64.max),
                sha256: String(repeating: "0f", count: 32)
            )
        }
        var device = DeviceRecord(
            id: try id("pci-0000:41:00.3"),
            backend: .kernel,
            bus: .pci,
            address: "0000:41:00.3"
        )
        device.subsystemVendorID = 0x15b3
        device.subsystemDeviceID = 0
        members.append(
            ImageRecord.Member(
                of: device,
                flags: 1,
                byteCount: 1,
                sha256: "",
                sidecar: ImageRecord.SidecarFile(byteCount: 65536, sha256: "0f")
            )
        )
        var image = ImageRecord(
            id: try id(name),
            job: try id("job-1"),
            createdAt: time,
            members: members,
            sourceResumed: true,
            kernelRelease: "6.12.43+deb13-amd64"
        )
        image.machine = "x86_64"
        image.ferryVersion = "0.2.0"
        image.save = ImageRecord.SaveTimes(createdAt: time, startedAt: nil, finishedAt: time)
        return image
    }
}

extension String {
    /// Without NUL, which no record may hold.
    fileprivate var trimmed: String { filter { $0 != "\u{0}" } }
}
