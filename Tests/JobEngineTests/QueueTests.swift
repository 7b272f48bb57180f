import Dispatch
import JobEngine
import MigrationCore
import Synchronization
import Testing

@Suite("Jobs that wait for a worker or for a device")
struct QueueTests {
    /// An engine with one worker, which a job at its gate has.
    private func busyFixture(
        _ waiting: Int = 8
    ) async throws -> (fixture: EngineFixture, first: JobID) {
        let fixture = try EngineFixture(["mtty:count=6"]) {
            $0.workerCount = 1
            $0.queuedJobLimit = waiting
        }
        let first = try fixture.engine.submit(try fixture.migration(.manual), requestedBy: "test")
        _ = try await fixture.view(of: first.job.id) { $0.job.phase == .awaitingSwitchover }
        return (fixture, first.job.id)
    }

    private func save(_ device: String, _ fixture: EngineFixture) throws -> JobSpec {
        JobSpec(work: .save(sources: [try fixture.id(device)], after: .run))
    }

    @Test("a job waits for a worker and then runs, in the order they came")
    func order() async throws {
        let (fixture, first) = try await busyFixture()
        let second = try fixture.engine.submit(try save("sim-2", fixture), requestedBy: "test")
        let third = try fixture.engine.submit(try save("sim-3", fixture), requestedBy: "test")
        #expect(second.job.state == .queued)
        #expect(second.isCancellable)
        #expect(fixture.engine.host().workersBusy == 1)
        _ = try fixture.engine.switchOver(first)
        #expect(try await fixture.end(of: second.job.id).job.state == .succeeded)
        let last = try await fixture.end(of: third.job.id)
        let middle = try fixture.engine.job(second.job.id)
        #expect(try #require(middle.job.finishedAt) <= #require(last.job.startedAt))
        #expect(try fixture.engine.job(first).job.state == .succeeded)
    }

    @Test("a job that waits is cancelled at once, whatever its kind", arguments: [true, false])
    func cancelWaiting(_ isReset: Bool) async throws {
        let (fixture, first) = try await busyFixture()
        let device = try fixture.id("sim-2")
        let spec = isReset ? JobSpec(work: .reset(devices: [device])) : try save("sim-2", fixture)
        let second = try fixture.engine.submit(spec, requestedBy: "test")
        let view = try fixture.engine.cancel(second.job.id)
        #expect(view.job.state == .cancelled)
        #expect(view.job.startedAt == nil)
        #expect(view.job.finishedAt != nil)
        #expect(try fixture.engine.device(device).lockedBy == nil)
        #expect(try fixture.content("sim-2") == .live)
        let lines = try fixture.engine.journal(of: second.job.id, after: 0, limit: 100)
        #expect(
            lines.map(\.entry.line) == [.accepted, .cancelRequested, .finished(state: "cancelled")]
        )
        // Its place is free, and the one before it goes on undisturbed.
        _ = try fixture.engine.switchOver(first)
        #expect(try await fixture.end(of: first).job.state == .succeeded)
        #expect(fixture.engine.host().workersBusy <= 1)
    }

    @Test("one job too many is refused, leaves nothing behind, and may come again")
    func overload() async throws {
        let (fixture, first) = try await busyFixture(1)
        let second = try fixture.engine.submit(try save("sim-2", fixture), requestedBy: "test")
        var third = try save("sim-3", fixture)
        third.id = JobID("third")
        #expect(throws: Problem.self) {
            do throws(Problem) {
                _ = try fixture.engine.submit(third, requestedBy: "test")
            } catch {
                #expect(error.code == .overloaded)
                #expect(error.facts.retryAfterSeconds != nil)
                throw error
            }
        }
        #expect(try fixture.engine.device(try fixture.id("sim-3")).lockedBy == nil)
        _ = try fixture.engine.cancel(second.job.id)
        let again = try fixture.engine.submit(third, requestedBy: "test")
        #expect(again.job.id == third.id)
        _ = try fixture.engine.cancel(first)
        #expect(try await fixture.end(of: again.job.id).job.state == .succeeded)
    }

    @Test("a device in a job's hands is busy for every other work, with the job's name")
    func deviceBusy() async throws {
        let (fixture, first) = try await busyFixture()
        for device in ["sim-0", "sim-1"] {
            let problem = try fixture.refusal(.reset(devices: [try fixture.id(device)]))
            #expect(problem.code == .deviceBusy)
            #expect(problem.facts.blockingJob == first)
            #expect(problem.facts.device?.text == device)
            #expect(problem.facts.retryAfterSeconds == 1)
            #expect(try fixture.engine.device(try fixture.id(device)).lockedBy == first)
        }
        let session = try #require(fixture.engine.device(try fixture.id("sim-0")).session)
        do throws(Problem) {
            _ = try fixture.engine.closeSession(session.id, discardContent: true)
            Issue.record("a session was closed under a job")
        } catch {
            #expect(error.code == .deviceBusy)
        }
        _ = try fixture.engine.cancel(first)
        _ = try await fixture.end(of: first)
    }

    @Test("an id is used once, by an active job and by a past one")
    func jobExists() async throws {
        let fixture = try EngineFixture(["mlx5:count=2,state=64KiB"]) { $0.recentJobLimit = 1 }
        var spec = try save("sim-0", fixture)
        spec.id = JobID("mine")
        let first = try await fixture.run(spec)
        #expect(first.job.id == spec.id)
        _ = try await fixture.run(try save("sim-1", fixture))
        _ = try await fixture.run(try save("sim-1", fixture))
        #expect(fixture.engine.recentJob(first.job.id) == nil)
        do throws(Problem) {
            _ = try fixture.engine.submit(spec, requestedBy: "test")
            Issue.record("an id was used twice")
        } catch {
            #expect(error.code == .jobExists)
            #expect(error.facts.blockingJob == spec.id)
            #expect(error.facts.pointer == "/id")
        }
    }

    @Test("whoever sees a job ended can have its devices")
    func freeWhenSeen() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let source = try fixture.id("sim-0")
        for _ in 0..<20 {
            let job = try fixture.engine.submit(
                JobSpec(work: .save(sources: [source], after: .run)),
                requestedBy: "test"
            )
            let view = try await fixture.end(of: job.job.id)
            #expect(view.job.state == .succeeded)
        }
    }

    @Test("a cancel comes too late behind the decision, and for what has ended")
    func lateCancel() async throws {
        let fixture = try EngineFixture("mlx5:count=2,state=64KiB")
        let ended = try await fixture.run(try fixture.migration())
        #expect(!ended.isCancellable)
        do throws(Problem) {
            _ = try fixture.engine.cancel(ended.job.id)
            Issue.record("an ended job was cancelled")
        } catch {
            #expect(error.code == .jobFinished)
        }
        #expect(throws: Problem.self) {
            _ = try fixture.engine.cancel(try #require(JobID("nobody")))
        }
    }

    @Test("a cancel between any two writes ends as the journal says: one side, or the other")
    func cancelAtEveryWrite() async throws {
        for number in 1..<200 {
            let run = try await FaultRun(.migrate, "mlx5")
            let answer = CancelAnswer()
            let engine = run.fixture.engine
            let id = try #require(JobID("cancelled"))
            run.fixture.store.observe { write in
                guard write == number else { return }
                // On a thread of its own, as a request would be.
                answer.ask { () throws(Problem) in try engine.cancel(id) }
            }
            var spec = run.spec
            spec.id = id
            run.fixture.tape.start()
            _ = try engine.submit(spec, requestedBy: "test")
            let view = try await run.fixture.end(of: id)
            let wasReached = run.fixture.tape.writeCount >= number
            if wasReached { try await answer.wait() }
            run.fixture.tape.stop()
            let audit = try await Audit(run, view)
            let text = "write \(number): \(view.job.state), \(answer.text)"
            #expect(audit.findings == [], "\(text)")
            #expect(view.job.state == .succeeded || view.job.state == .cancelled, "\(text)")
            if view.job.state == .cancelled { #expect(answer.isAccepted, "\(text)") }
            if answer.isAccepted { #expect(view.job.state == .cancelled, "\(text)") }
            guard wasReached else { return }
        }
        Issue.record("the job has no end of writes")
    }
}

/// Asks for a cancel on a thread of its own and keeps the answer.
final class CancelAnswer: Sendable {
    private struct State {
        var answer: Result<JobView, Problem>?
        var waiter: (@Sendable () -> Void)?
    }

    // Guards the answer; a leaf.
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "test.cancel")

    func ask(_ cancel: @escaping @Sendable () throws(Problem) -> JobView) {
        queue.async {
            let answer: Result<JobView, Problem>
            do throws(Problem) {
                answer = .success(try cancel())
            } catch {
                answer = .failure(error)
            }
            let waiter = self.state.withLock { state in
                state.answer = answer
                return state.waiter
            }
            waiter?()
        }
    }

    func wait() async throws {
        try await awaitCall("the answer to the cancel") { told in
            let isThere = state.withLock { state in
                if state.answer == nil { state.waiter = told }
                return state.answer != nil
            }
            if isThere { told() }
        }
    }

    var isAccepted: Bool {
        state.withLock { state in
            if case .success? = state.answer { true } else { false }
        }
    }

    var text: String {
        state.withLock { state in
            switch state.answer {
            case .success(let view)?: "accepted in \(view.job.state.name)"
            case .failure(let problem)?: "\(problem.code)"
            case nil: "not asked"
            }
        }
    }
}
