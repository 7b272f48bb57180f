internal import MigrationCore
internal import Synchronization

/// Who has a device to itself: one job, or one short operation on its session.
final class DeviceLocks: Sendable {
    enum Holder: Hashable, Sendable {
        case job(JobID)
        /// Opening, closing, probing, handing over: named for the one who has to wait.
        case operation(String)
    }

    /// Guards the holders.
    ///
    /// A leaf: taken and let go within one call, whole sets at once, so that no order between
    /// devices is needed.
    private let holders = Mutex<[DeviceID: Holder]>([:])

    func holder(of device: DeviceID) -> Holder? { holders.withLock { $0[device] } }

    /// Takes all of the devices or none of them.
    func acquire(_ devices: [DeviceID], for holder: Holder) throws(Problem) {
        let taken: (DeviceID, Holder)? = holders.withLock { holders in
            for device in devices {
                if let other = holders[device] { return (device, other) }
            }
            for device in devices { holders[device] = holder }
            return nil
        }
        if let (device, other) = taken { throw Self.busy(device, other) }
    }

    func release(_ devices: [DeviceID], from holder: Holder) {
        holders.withLock { holders in
            for device in devices where holders[device] == holder { holders[device] = nil }
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

    private static func busy(_ device: DeviceID, _ holder: Holder) -> Problem {
        var facts = Problem.Facts(device: device)
        facts.retryAfterSeconds = 1
        switch holder {
        case .job(let job):
            facts.blockingJob = job
            return Problem(.deviceBusy, "Job \(job) has \(device) to itself.", facts)
        case .operation(let name):
            return Problem(.deviceBusy, "\(device) is busy: \(name).", facts)
        }
    }
}
