internal import MigrationCore
internal import MigrationPorts

extension Job {
    private mutating func withDevice(
        _ device: DeviceID,
        _ side: Side,
        _ change: (inout JobDevice) -> Void
    ) {
        guard let index = devices.firstIndex(where: { $0.device == device && $0.side == side })
        else { return }
        change(&devices[index])
    }

    /// Notes what a device's session holds.
    mutating func noteContent(_ content: DeviceContent, of device: DeviceID, _ side: Side) {
        withDevice(device, side) { $0.content = content }
    }

    /// The SETs that were made on a device.
    func arcs(of device: DeviceID, _ side: Side) -> [ArcTime] {
        devices.first { $0.device == device && $0.side == side }?.arcs ?? []
    }

    /// Tells something that went wrong, once.
    mutating func warn(_ text: String) {
        if !warnings.contains(text) { warnings.append(text) }
    }

    /// Notes a SET that returned.
    ///
    /// It has no time when the device did not say where it began.
    mutating func note(_ device: DrivenDevice, _ side: Side, _ time: ArcTime?) {
        let last = device.lastState
        withDevice(device.device, side) { entry in
            if let time { entry.arcs.append(time) }
            if case .known(let state)? = last {
                entry.vfioState = state
            } else {
                entry.vfioState = nil
            }
        }
    }

    /// Notes what a device holds now.
    mutating func note(_ device: DrivenDevice, _ side: Side, content: DeviceContent) {
        withDevice(device.device, side) { entry in
            entry.content = content
            if case .known(let state)? = device.lastState { entry.vfioState = state }
        }
    }

    /// Notes how much of a device's stream moved; both ends of it see the same bytes.
    mutating func noteTransferred(_ byteCount: UInt64, by moving: [DeviceID]) {
        for index in devices.indices where moving.contains(devices[index].device) {
            devices[index].transferredBytes = byteCount
        }
    }

    /// Notes the estimate of what STOP_COPY would give.
    mutating func note(_ device: DrivenDevice, stopCopyByteCount: UInt64?) {
        withDevice(device.device, .source) { $0.stopCopyBytes = stopCopyByteCount }
    }

    /// Notes what a pre-copy round found of a source.
    mutating func note(_ device: DrivenDevice, _ round: PreCopyRound) {
        withDevice(device.device, .source) { entry in
            entry.initialBytes = round.initialByteCount
            entry.dirtyBytes = round.dirtyByteCount
            entry.stopCopyBytes = round.stopCopyByteCount
        }
    }
}

extension StoreChange {
    /// A job that changed, with lines of its journal and its event.
    init(_ job: Job, _ lines: [JournalEntry.Line], at now: Timestamp) {
        self.init(
            jobs: [job],
            journal: lines.map {
                JournalLine(job: job.id, entry: JournalEntry(at: now, phase: job.phase, line: $0))
            },
            events: [
                Event(
                    at: now,
                    topic: .jobChanged(
                        job.id,
                        generation: job.generation,
                        state: job.state.name,
                        phase: job.phase
                    )
                )
            ]
        )
    }

    /// A session that changed, with its event.
    init(_ session: SessionRecord, at now: Timestamp) {
        self.init(
            sessions: [session],
            events: [
                Event(
                    at: now,
                    topic: .sessionChanged(
                        session.id,
                        session.device,
                        status: session.status.rawValue,
                        content: session.content
                    )
                )
            ]
        )
    }
}
