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
    /// `device-busy` with the session or job, what ``DeviceBackend/change(_:_:)`` throws, `store-failed`
    /// when it cannot be audited, and `timed-out` when it is still under way after the limit.
    package func change(
        _ id: DeviceID,
        _ change: DeviceChange,
        by requester: Requester,
        _ told: @escaping Told<DeviceView>
    ) throws(Problem) {
        try onOwnThread(change.reason, id, told) { [self] () throws(Problem) in
            try makeChange(of: id, change, requester)
            return try device(id)
        }
    }

    /// The types of mediated devices that this host can make.
    ///
    /// Blocking.
    package func mediatedTypes() -> [MediatedType] { backends.all.flatMap { $0.mediatedTypes() } }

    /// Makes a mediated device.
    ///
    /// Never blocks. Throws and tells like ``change(_:_:by:_:)``; `invalid-field` for a parent or
    /// type that is none.
    package func create(
        _ request: MediatedRequest,
        by requester: Requester,
        _ told: @escaping Told<DeviceView>
    ) throws(Problem) {
        guard let id = request.device else {
            throw Problem(.internalError, "A mediated device has no name: \(request.uuid).")
        }
        let action = AuditRecord.Action.create(request)
        try onOwnThread(action.reason, id, told) { [self] () throws(Problem) in
            let record = try newAuditRecord(action, of: id, requester)
            let holder = DeviceLocks.Holder.operation(action.reason)
            let devices = try auditingRefusal(of: record) { () throws(Problem) in
                try lock(id, for: action, holder)
            }
            defer { locks.release(devices, from: holder) }
            let made = try audited(record) { record throws(Problem) in
                record.subject = try make(request)
                return record.subject
            }
            return try device(made)
        }
    }

    private func make(_ request: MediatedRequest) throws(Problem) -> DeviceID {
        for backend in backends.all {
            if let made = try backend.create(request) { return made }
        }
        var facts = Problem.Facts()
        facts.pointer = "/parent"
        throw Problem(
            .invalidField,
            "This host has no parent \(request.parent) of mediated devices.",
            facts
        )
    }

    /// Removes a mediated device, which must have no session and no user.
    ///
    /// Never blocks. Throws and tells like ``change(_:_:by:_:)``.
    package func removeMediated(
        _ uuid: String,
        by requester: Requester,
        _ told: @escaping Told<Void>
    ) throws(Problem) {
        let missing = Problem(.notFound, "There is no mediated device \(uuid).")
        guard let name = DeviceID("mdev-\(uuid)") else { throw missing }
        let change = DeviceChange.removal
        try onOwnThread(change.reason, nil, told) { [self] () throws(Problem) in
            for backend in backends.all {
                guard let id = backend.mediatedDevice(uuid) else { continue }
                return try makeChange(of: id, change, requester)
            }
            let record = try newAuditRecord(.change(change), of: name, requester)
            try auditingRefusal(of: record) { () throws(Problem) in throw missing }
        }
    }

    /// Blocks for as long as the kernel needs.
    private func makeChange(
        of id: DeviceID,
        _ change: DeviceChange,
        _ requester: Requester
    ) throws(Problem) {
        var record = try newAuditRecord(.change(change), of: id, requester)
        let holder = DeviceLocks.Holder.operation(change.reason)
        let devices = try auditingRefusal(of: record) { () throws(Problem) in
            _ = try backends.owner(of: id)
            return try lock(id, for: record.action, holder)
        }
        defer { locks.release(devices, from: holder) }
        // As it is now that nobody else changes it.
        let (backend, found) = try auditingRefusal(of: record) { () throws(Problem) in
            try backends.owner(of: id)
        }
        // What the audit says was meant is what is done.
        let change = change.resolved(for: found)
        record.action = .change(change)
        try audited(record) { _ throws(Problem) in try backend.change(id, change) }
    }

    /// Locks what a change concerns, none of which may have a session.
    func lock(
        _ id: DeviceID,
        for action: AuditRecord.Action,
        _ holder: DeviceLocks.Holder
    ) throws(Problem) -> [DeviceID] {
        let devices = concerned(id, by: action)
        try locks.acquire(devices, for: holder)
        guard concerned(id, by: action) == devices else {
            locks.release(devices, from: holder)
            var facts = Problem.Facts(device: id)
            facts.retryAfterSeconds = 1
            throw Problem(.deviceBusy, "The virtual functions of \(id) are just changing.", facts)
        }
        for device in devices {
            guard let session = sessionTable.open(on: device)?.record else { continue }
            locks.release(devices, from: holder)
            var facts = Problem.Facts(device: device)
            facts.session = session.id
            throw Problem(.deviceBusy, "Session \(session.id) holds \(device).", facts)
        }
        return devices
    }

    /// The device, and its virtual functions when they go and come with a change of their number.
    private func concerned(_ id: DeviceID, by action: AuditRecord.Action) -> [DeviceID] {
        guard case .change(.virtualFunctions) = action,
            case .physical(_, let functions)? = backends.record(id)?.pci?.role
        else { return [id] }
        return [id] + functions.compactMap { DeviceID("pci-\($0)") }
    }

    func onOwnThread<Value: Sendable>(
        _ reason: String,
        _ device: DeviceID?,
        _ told: @escaping Told<Value>,
        _ work: @escaping @Sendable () throws(Problem) -> Value
    ) throws(Problem) {
        let name = device?.text ?? "The device"
        // First the turn, which a stop waits for, and then the look whether there is a stop.
        let turn = try changes.take(for: "\(name): \(reason)")
        try checkAccepting()
        let seconds = configuration.bindTimeoutSeconds
        let answer = OneAnswer(told)
        let timer = OneShotTimer(seconds: UInt64(seconds), on: timers) {
            var facts = Problem.Facts()
            facts.device = device
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
        DispatchQueue(label: "ferry.change").async { [self] in
            defer { turn.end() }
            do throws(Problem) {
                let value = try work()
                answer.give(.success(value))
            } catch {
                answer.give(.failure(error))
            }
            timer.cancel()
            forgetForAudit()
        }
    }
}

/// Hands on the first of two answers: that of the work, or that of the time.
final class OneAnswer<Value: Sendable>: Sendable {
    private let told: Engine.Told<Value>
    private let isGiven = Atomic(false)

    init(_ told: @escaping Engine.Told<Value>) { self.told = told }

    func give(_ result: Result<Value, Problem>) {
        if !isGiven.exchange(true, ordering: .relaxed) { told(result) }
    }
}
