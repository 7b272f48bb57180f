internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// A device with the rules of its use: GET before SET, GET after a failed one, never SET in ERROR,
/// and who holds its stream.
///
/// The one place that keeps them, for every backend.
final class DrivenDevice: Sendable {
    private struct State: Sendable {
        /// What the device said, or was successfully told, last.
        var last: ReportedState?
        /// Where it can be if nobody but us drives it; nil when nothing is known.
        var expected: Set<DeviceState>?
        var stream: (any MigrationStream)?
        var inFlight: InFlight?

        /// The device said, or did, where it is.
        mutating func note(_ reported: ReportedState) {
            last = reported
            if case .known(let known) = reported { expected = [known] }
        }
    }

    /// A SET that has not returned.
    struct InFlight: Sendable {
        let from: DeviceState?
        let to: DeviceState
        let startedAt: UInt64
    }

    /// A SET that returned.
    struct SetReport: Sendable {
        let nanoseconds: UInt64
        /// What failed, if it did, and what GET said then.
        let failure: (problem: Problem, state: ReportedState?)?
    }

    let session: any DeviceSession
    private let clock: any HostClock
    /// Guards what is known of the device, never a call into it.
    ///
    /// A leaf.
    private let state = Mutex(State())

    init(_ session: any DeviceSession, clock: any HostClock) {
        self.session = session
        self.clock = clock
    }

    var device: DeviceID { session.device }
    var lastState: ReportedState? { state.withLock { $0.last } }
    var inFlight: InFlight? { state.withLock { $0.inFlight } }

    /// A SET that has not returned for 10 s.
    func stuckArc(at now: UInt64) -> StuckArc? {
        guard let arc = inFlight, now - min(now, arc.startedAt) > 10_000_000_000 else { return nil }
        return StuckArc(
            device: device,
            from: arc.from,
            to: arc.to,
            nanoseconds: now - arc.startedAt
        )
    }

    /// The open stream.
    ///
    /// Throws when the device has none, which only a bug or a lost descriptor makes happen.
    func stream() throws(Problem) -> any MigrationStream {
        if let stream = state.withLock({ $0.stream }) { return stream }
        throw Problem(
            .deviceFailed,
            "\(device) has no open migration stream.",
            Problem.Facts(device: device, operation: "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE")
        )
    }

    /// GET, held against where we left the device.
    ///
    /// A state we did not lead it to means that somebody reset or drove the device behind us: its
    /// content is lost, whatever the state is now. A state without a name is where a driver
    /// stopped on its way, and no loss.
    func currentState() throws(Problem) -> ReportedState {
        let reported: ReportedState
        do throws(Errno) {
            reported = try session.state()
        } catch {
            throw failure("GET VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE", error)
        }
        let expected = state.withLock { state in
            defer { state.note(reported) }
            return state.expected
        }
        guard case .known(let known) = reported else { return reported }
        if known == .error {
            throw lost("\(device) is in ERROR; only a reset leaves it, and its content is lost.")
        }
        if let expected, !expected.contains(known) {
            let names = expected.map(\.kernelName).sorted().joined(separator: " or ")
            throw lost(
                "\(device) was left in \(names) and says \(known.kernelName): somebody else reset "
                    + "or drove it, and its content is lost."
            )
        }
        return reported
    }

    /// GET after a failure: nil when even that fails.
    func reportedState() -> ReportedState? {
        let reported = try? session.state()
        if let reported { state.withLock { $0.note(reported) } }
        return reported
    }

    /// SET, from a state ``currentState()`` just gave; nil stands for one without a name.
    func set(_ target: DeviceState, from current: DeviceState?) -> SetReport {
        let startedAt = clock.monotonicNanoseconds()
        state.withLock {
            $0.inFlight = InFlight(from: current, to: target, startedAt: startedAt)
        }
        defer { state.withLock { $0.inFlight = nil } }
        do throws(Errno) {
            let stream = try session.set(target)
            let nanoseconds = clock.monotonicNanoseconds() - startedAt
            didReach(target, stream)
            guard let problem = missingStream(target, from: current, stream) else {
                return SetReport(nanoseconds: nanoseconds, failure: nil)
            }
            return SetReport(nanoseconds: nanoseconds, failure: (problem, .known(target)))
        } catch {
            let nanoseconds = clock.monotonicNanoseconds() - startedAt
            let after = try? session.state()
            didFail(after, on: target, from: current)
            var problem = failure("SET VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE", error)
            problem.facts.arc = Problem.ArcNames(from: current, to: target)
            if after == .known(.error) { problem.facts.content = .lost }
            problem.detail =
                "\(device): \(current?.kernelName ?? "?")→\(target.kernelName) failed with "
                + "\(error.name); the device says \(after?.kernelName ?? "nothing")."
            return SetReport(nanoseconds: nanoseconds, failure: (problem, after))
        }
    }

    /// Takes the device out of its address space.
    func detach() throws(Problem) {
        do throws(Errno) {
            try session.detach()
        } catch {
            throw failure("detach", error)
        }
    }

    /// RESET: the device is RUNNING and empty after it.
    func reset() throws(Problem) {
        dropStream()
        do throws(Errno) {
            try session.reset()
        } catch {
            // It may have been reset or not, and may be on its way to it (mlx5, virtio).
            state.withLock { state in
                state.last = nil
                state.expected = nil
            }
            throw failure("VFIO_DEVICE_RESET", error)
        }
        state.withLock { $0.note(.known(.running)) }
    }

    /// `VFIO_MIG_GET_PRECOPY_INFO` of the open stream.
    func preCopyInfo() throws(Problem) -> PreCopyInfo {
        let stream = try stream()
        do throws(Errno) {
            return try stream.preCopyInfo()
        } catch {
            throw failure("VFIO_MIG_GET_PRECOPY_INFO", error)
        }
    }

    /// MIG_DATA_SIZE, or nil where the driver cannot tell.
    func stopCopyByteCount() -> UInt64? { try? session.stopCopyByteCount() }

    func close() {
        dropStream()
        session.close()
    }

    /// A failed call on this device, as a problem.
    func failure(_ operation: String, _ errno: Errno) -> Problem {
        let facts = Problem.Facts(device: device, operation: operation, errno: errno)
        let code: Problem.Code = errno == .noDevice ? .deviceGone : .deviceFailed
        return Problem(code, "\(device): \(operation) failed with \(errno.name).", facts)
    }

    private func lost(_ detail: String) -> Problem {
        var facts = Problem.Facts(device: device)
        facts.content = .lost
        return Problem(.contentLost, detail, facts)
    }

    /// Keeps, replaces or drops the stream as the kernel did (reference A.4, rules 2 and 3).
    private func didReach(
        _ target: DeviceState,
        _ stream: (any MigrationStream)?
    ) {
        let old: (any MigrationStream)? = state.withLock { state in
            state.note(.known(target))
            guard stream != nil || !target.hasStream else { return nil }
            defer { state.stream = stream }
            return state.stream
        }
        old?.close()
    }

    /// A SET that must open a stream and returned none leaves a state nobody can use.
    private func missingStream(
        _ target: DeviceState,
        from current: DeviceState?,
        _ stream: (any MigrationStream)?
    ) -> Problem? {
        guard stream == nil, path(from: current, to: target)?.newStream != nil else { return nil }
        var problem = failure("SET VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE", .protocolError)
        problem.facts.arc = Problem.ArcNames(from: current, to: target)
        problem.detail = "\(device): the kernel gave no descriptor for \(target.kernelName)."
        return problem
    }

    /// After a failed SET the device is where it says, or anywhere on the way when it says nothing.
    private func didFail(
        _ after: ReportedState?,
        on target: DeviceState,
        from current: DeviceState?
    ) {
        let way = path(from: current, to: target)?.arcs.map(\.to) ?? []
        let dead: (any MigrationStream)? = state.withLock { state in
            state.last = after
            state.expected?.formUnion(way)
            if let after { state.note(after) }
            if case .known(let known)? = after, known.hasStream { return nil }
            defer { state.stream = nil }
            return state.stream
        }
        dead?.close()
    }

    private func path(from current: DeviceState?, to target: DeviceState) -> StatePath? {
        guard let current, let flags = session.support.flags else { return nil }
        return try? MigrationStateMachine.path(from: current, to: target, flags: flags)
    }

    private func dropStream() {
        let stream = state.withLock { state in
            defer { state.stream = nil }
            return state.stream
        }
        stream?.close()
    }
}
