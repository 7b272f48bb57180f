import Foundation
import JobEngine
import MigrationCore
import SimulatedDevices
import Testing

/// One job with one fault, from a fresh engine to the audit of what is left.
struct FaultRun {
    enum Work: String, CaseIterable, Sendable {
        case migrate
        case saveAndRun
        case saveAndStop
        case restore
        case reset
    }

    static let specification = "count=2,state=64KiB,seed=7"

    let fixture: EngineFixture
    let work: Work
    let spec: JobSpec
    /// What `sim-0` held before, which is what is moved.
    let before: String

    init(_ work: Work, _ profile: String) async throws {
        fixture = try EngineFixture("\(profile):\(Self.specification)")
        self.work = work
        before = try fixture.digest("sim-0")
        let source = try fixture.id("sim-0")
        switch work {
        case .migrate: spec = try fixture.migration()
        case .saveAndRun: spec = JobSpec(work: .save(sources: [source], after: .run))
        case .saveAndStop: spec = JobSpec(work: .save(sources: [source], after: .stop))
        case .reset: spec = JobSpec(work: .reset(devices: [source]))
        case .restore:
            let save = try await fixture.run(
                JobSpec(work: .save(sources: [source], after: .run))
            )
            spec = try fixture.restore(try #require(save.job.image))
        }
    }

    /// Runs the job with the tape on; nil when it was not even admitted.
    func perform() async throws -> JobView? {
        fixture.tape.start()
        defer { fixture.tape.stop() }
        let id: JobID
        do throws(Problem) {
            id = try fixture.engine.submit(spec, requestedBy: "test").job.id
        } catch {
            guard error.code == .storeFailed else { throw error }
            return nil
        }
        return try await fixture.end(of: id)
    }
}

/// What must be true when a job has ended, whatever happened to it.
struct Audit {
    let run: FaultRun
    let view: JobView?
    private(set) var findings: [String] = []

    init(_ run: FaultRun, _ view: JobView?) async throws {
        self.run = run
        self.view = view
        findings += TapeRules(run.spec).violations(in: run.fixture.tape.entries)
        if let view { try checkClaims(view.job) }
        try checkImages()
        try await checkNothingIsHeld()
    }

    private var fixture: EngineFixture { run.fixture }

    private func session(_ device: String) -> TapedSession? {
        fixture.backend.session(device)
    }

    /// Whether a device acts and holds what was to be moved.
    private func acts(_ device: String) throws -> Bool {
        guard let session = session(device), !session.isGone, !session.isInError else {
            return false
        }
        let record = try fixture.engine.device(try fixture.id(device)).record
        guard case .known(let state)? = record.debugState else { return false }
        return try state.canAct && fixture.digest(device) == run.before
    }

    private mutating func require(_ condition: Bool, _ finding: @autoclosure () -> String) {
        if !condition { findings.append(finding()) }
    }

    // MARK: Claims

    private mutating func checkClaims(_ job: Job) throws {
        require(job.state.isTerminal, "it has not ended")
        let source = try acts("sim-0")
        let target = try acts("sim-1")
        switch job.mayRun {
        case .source:
            require(source, "the source may run and does not")
            require(!target, "the source may run and the target does")
        case .target:
            require(target, "the target may run and does not")
            if run.work == .migrate { require(!source, "the target may run and the source does") }
        case .nobody, .unknown:
            require(!(source && target) || run.work == .restore, "both sides run")
            if job.mayRun == .nobody {
                if run.work != .restore, run.work != .reset || job.state == .succeeded {
                    require(!source, "nobody may run and the source does")
                }
                require(!target, "nobody may run and the target does")
            }
        }
        if job.state == .succeeded {
            require(job.mayRun != .unknown, "success of an unknown")
        } else {
            require(job.state.problem != nil || job.state == .cancelled, "no problem is told")
        }
        try checkContents(job)
    }

    /// An open session says of its content what is so.
    private mutating func checkContents(_ job: Job) throws {
        if case .indeterminate = job.state { return }
        for device in ["sim-0", "sim-1"] {
            let view = try fixture.engine.device(try fixture.id(device))
            guard let record = view.session, let session = session(device), !session.isGone else {
                continue
            }
            let isMoved = try fixture.digest(device) == run.before
            switch record.content {
            case .live where device == "sim-0", .loaded:
                require(isMoved && !session.isInError, "\(device) is not \(record.content)")
            case .live: break
            // A device that was to be reset was given up, whether the RESET took it or not.
            case .lost where run.work == .reset: break
            case .empty, .lost: require(!isMoved, "\(device) is not \(record.content)")
            }
        }
    }

    /// An image is there if and only if the save says so, and nothing half-written is.
    private mutating func checkImages() throws {
        let known = Set(fixture.engine.images().map(\.id.text))
        let files = try FileManager.default.contentsOfDirectory(
            atPath: fixture.directory + "/images"
        )
        require(Set(files) == known, "files \(files), catalogue \(known)")
        guard let job = view?.job, case .save = job.spec.work else { return }
        require(
            known.contains(job.id.text) == (job.state == .succeeded),
            "\(job.state.name) and images \(known)"
        )
    }

    // MARK: What is held

    private mutating func checkNothingIsHeld() async throws {
        for device in ["sim-0", "sim-1"] {
            let id = try fixture.id(device)
            guard let record = try fixture.engine.device(id).session else { continue }
            try await checkAdmission(id)
            do {
                _ = try fixture.engine.closeSession(record.id, discardContent: true)
            } catch {
                findings.append("\(device) cannot be closed: \(error)")
            }
        }
        for session in fixture.backend.sessions {
            require(session.isClosed, "\(session.device) is open")
            require(session.openStreamCount == 0, "\(session.device) has open streams")
        }
    }

    /// The device is free for a new job, unless the one that ended keeps it.
    private mutating func checkAdmission(_ device: DeviceID) async throws {
        let reset = JobSpec(work: .reset(devices: [device]))
        var isKept = false
        if case .indeterminate? = view?.job.state {
            isKept = run.spec.work.devices.contains(device)
        }
        do {
            let job = try fixture.engine.submit(reset, requestedBy: "audit").job
            _ = try await fixture.end(of: job.id)
            require(!isKept, "\(device) is not kept by the indeterminate job")
        } catch let problem as Problem {
            require(isKept, "\(device) is not free: \(problem)")
            require(problem.code == .deviceBusy, "\(problem.code)")
            require(problem.facts.blockingJob == view?.job.id, "\(problem.facts)")
        }
    }
}
