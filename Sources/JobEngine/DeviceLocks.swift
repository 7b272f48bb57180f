internal import MigrationCore
internal import Synchronization

/// Who has a device to itself: one job, or one short operation on its session.
final class DeviceLocks: Sendable {
    enum Holder: Hashable, Sendable {
        case job(JobID)
        /// A job that ended indeterminate: it keeps the device until somebody closes its session.
        case indeterminate(JobID)
        /// Opening, closing, probing, handing over: named for the one who has to wait.
        case operation(String)
    }

    /// Guards the holders.
    ///
    /// A leaf: taken and let go within one call, whole sets at once, so that no order between
    /// devices is needed.
    private let holders = Mutex<[DeviceID: Holder]>([:])

    /// Counts who was in the way.
    private let refusals: InstrumentFamily<Counter>

    init(refusals: InstrumentFamily<Counter>) { self.refusals = refusals }

    /// Jobs that ended indeterminate and keep devices.
    var indeterminateCount: Int {
        let jobs = holders.withLock { holders in
            holders.values.compactMap { if case .indeterminate(let job) = $0 { job } else { nil } }
        }
        return Set(jobs).count
    }

    func holder(of device: DeviceID) -> Holder? { holders.withLock { $0[device] } }

    /// Every device that is held.
    var all: [DeviceID: Holder] { holders.withLock { $0 } }

    /// Takes all of the devices or none of them.
    func acquire(_ devices: [DeviceID], for holder: Holder) throws(Problem) {
        let taken: (DeviceID, Holder)? = holders.withLock { holders in
            for device in devices {
                if let other = holders[device] { return (device, other) }
            }
            for device in devices { holders[device] = holder }
            return nil
        }
        if let (device, other) = taken { throw refusal(device, other) }
    }

    /// Why ``acquire(_:for:)`` would not take a device now; nil when it would.
    func refusal(of device: DeviceID) -> Problem? {
        holder(of: device).map { Self.busy(device, $0) }
    }

    func release(_ devices: [DeviceID], from holder: Holder) {
        holders.withLock { holders in
            for device in devices where holders[device] == holder { holders[device] = nil }
        }
    }

    /// Hands devices from one holder to the next, with no moment between.
    func pass(_ devices: [DeviceID], from holder: Holder, to next: Holder) {
        holders.withLock { holders in
            for device in devices where holders[device] == holder { holders[device] = next }
        }
    }

    /// The same for all of the devices or none; false when `holder` has not all of them.
    func passAll(_ devices: [DeviceID], from holder: Holder, to next: Holder) -> Bool {
        holders.withLock { holders in
            guard devices.allSatisfy({ holders[$0] == holder }) else { return false }
            for device in devices { holders[device] = next }
            return true
        }
    }

    /// Does something that needs a device to itself.
    func holding<Result>(
        _ device: DeviceID,
        _ operation: String,
        _ body: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        try acquire([device], for: .operation(operation))
        defer { release([device], from: .operation(operation)) }
        return try body()
    }

    /// Does something that gives a device's content up, for which an indeterminate job makes way.
    ///
    /// It has the device to itself again when `body` throws.
    func holdingAfterJob<Result>(
        _ device: DeviceID,
        _ operation: String,
        _ body: () throws(Problem) -> Result
    ) throws(Problem) -> Result {
        let holder = Holder.operation(operation)
        guard let ended = takeOver(device, for: holder) else {
            return try holding(device, operation, body)
        }
        do throws(Problem) {
            let result = try body()
            release([device], from: holder)
            return result
        } catch {
            pass([device], from: holder, to: ended)
            throw error
        }
    }

    private func takeOver(_ device: DeviceID, for holder: Holder) -> Holder? {
        holders.withLock { holders in
            guard case .indeterminate? = holders[device] else { return nil }
            defer { holders[device] = holder }
            return holders[device]
        }
    }

    /// Throws `device-busy` while a job, running or ended indeterminate, has the device.
    func checkNoJob(on device: DeviceID) throws(Problem) {
        switch holder(of: device) {
        case .job(let job)?: throw refusal(device, .job(job))
        case .indeterminate(let job)?: throw refusal(device, .indeterminate(job))
        case .operation?, nil: return
        }
    }

    private func refusal(_ device: DeviceID, _ holder: Holder) -> Problem {
        let name =
            switch holder {
            case .job: "job"
            case .indeterminate: "indeterminate_job"
            case .operation: "operation"
            }
        refusals.of(name).add()
        return Self.busy(device, holder)
    }

    private static func busy(_ device: DeviceID, _ holder: Holder) -> Problem {
        var facts = Problem.Facts(device: device)
        switch holder {
        case .job(let job):
            facts.blockingJob = job
            facts.retryAfterSeconds = 1
            return Problem(.deviceBusy, "Job \(job) has \(device) to itself.", facts)
        case .indeterminate(let job):
            facts.blockingJob = job
            return Problem(
                .deviceBusy,
                "Job \(job) ended indeterminate and keeps \(device) until its session is closed.",
                facts
            )
        case .operation(let name):
            facts.retryAfterSeconds = 1
            return Problem(.deviceBusy, "\(device) is busy: \(name).", facts)
        }
    }
}
