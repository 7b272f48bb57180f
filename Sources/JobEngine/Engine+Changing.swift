internal import Dispatch
package import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// Changes of the place that devices have on the host.
///
/// Each runs on a thread of its own, for the kernel may keep it for as long as somebody has the
/// device open. Whoever waits is told in time; the devices stay locked until the kernel returns.
extension Engine {
    /// Who is told what became of a change: once, from a thread of the engine's.
    package typealias Told<Value> = @Sendable (Result<Value, Problem>) -> Void

    /// Binds, unbinds or divides a device, and tells how it is afterwards.
    ///
    /// Never blocks. Throws `overloaded` and `shutting-down`. `told` hears of `not-found`,
    /// `device-busy` with the session or job, what ``DeviceBackend/change(_:_:)`` throws, and
    /// `timed-out` when it is still under way after the limit.
    package func change(
        _ id: DeviceID,
        _ change: DeviceChange,
        _ told: @escaping Told<DeviceView>
    ) throws(Problem) {
        try onOwnThread(change.reason, id, told) { [self] () throws(Problem) in
            try makeChange(of: id, change)
            return try device(id)
        }
    }

    /// The types of mediated devices that this host can make.
    ///
    /// Blocking.
    package func mediatedTypes() -> [MediatedType] { backends.all.flatMap { $0.mediatedTypes() } }

    /// Makes a mediated device.
    ///
    /// Never blocks. Throws and tells like ``change(_:_:_:)``; `invalid-field` for a parent or type
    /// that is none.
    package func create(
        _ request: MediatedRequest,
        _ told: @escaping Told<DeviceView>
    ) throws(Problem) {
        guard let id = request.device else {
            throw Problem(.internalError, "A mediated device has no name: \(request.uuid).")
        }
        try onOwnThread("it is being made", id, told) { [self] () throws(Problem) in
            let made = try locks.holding(id, "it is being made") {
                () throws(Problem) -> DeviceID? in
                for backend in backends.all {
                    if let made = try backend.create(request) { return made }
                }
                return nil
            }
            guard let made else {
                var facts = Problem.Facts()
                facts.pointer = "/parent"
                throw Problem(
                    .invalidField,
                    "This host has no parent \(request.parent) of mediated devices.",
                    facts
                )
            }
            return try device(made)
        }
    }

    /// Removes a mediated device, which must have no session and no user.
    ///
    /// Never blocks. Throws and tells like ``change(_:_:_:)``.
    package func removeMediated(_ uuid: String, _ told: @escaping Told<Void>) throws(Problem) {
        try onOwnThread("it is being removed", nil, told) { [self] () throws(Problem) in
            for backend in backends.all {
                guard let id = backend.mediatedDevice(uuid) else { continue }
                return try makeChange(of: id, .removal)
            }
            throw Problem(.notFound, "There is no mediated device \(uuid).")
        }
    }

    /// Blocks for as long as the kernel needs.
    private func makeChange(of id: DeviceID, _ change: DeviceChange) throws(Problem) {
        let (backend, record) = try backends.owner(of: id)
        var devices = [id]
        // The virtual functions go and come with a change of their number.
        if case .virtualFunctions = change, case .physical(_, let functions)? = record.pci?.role {
            devices += functions.compactMap { DeviceID("pci-\($0)") }
        }
        let holder = DeviceLocks.Holder.operation(change.reason)
        try locks.acquire(devices, for: holder)
        defer { locks.release(devices, from: holder) }
        for device in devices {
            guard let session = sessionTable.open(on: device)?.record else { continue }
            var facts = Problem.Facts(device: device)
            facts.session = session.id
            throw Problem(.deviceBusy, "Session \(session.id) holds \(device).", facts)
        }
        try backend.change(id, change)
    }

    private func onOwnThread<Value: Sendable>(
        _ reason: String,
        _ device: DeviceID?,
        _ told: @escaping Told<Value>,
        _ work: @escaping @Sendable () throws(Problem) -> Value
    ) throws(Problem) {
        try checkAccepting()
        let turn = try changes.take()
        let seconds = configuration.bindTimeoutSeconds
        let answer = OneAnswer(told)
        let timer = OneShotTimer(seconds: UInt64(seconds), on: timers) {
            var facts = Problem.Facts()
            facts.device = device
            let name = device?.text ?? "The device"
            answer.give(
                .failure(
                    Problem(
                        .timedOut,
                        "\(name): \(reason), and still is after \(seconds) s. The kernel goes on by "
                            + "itself, and the device is to itself until it is done.",
                        facts
                    )
                )
            )
        }
        DispatchQueue(label: "ferry.change").async {
            defer { turn.end() }
            do throws(Problem) {
                let value = try work()
                answer.give(.success(value))
            } catch {
                answer.give(.failure(error))
            }
            timer.cancel()
        }
    }
}

/// Hands on the first of two answers: that of the work, or that of the time.
private final class OneAnswer<Value: Sendable>: Sendable {
    private let told: Engine.Told<Value>
    private let isGiven = Atomic(false)

    init(_ told: @escaping Engine.Told<Value>) { self.told = told }

    func give(_ result: Result<Value, Problem>) {
        if !isGiven.exchange(true, ordering: .relaxed) { told(result) }
    }
}
