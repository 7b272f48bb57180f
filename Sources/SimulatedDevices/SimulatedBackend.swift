internal import Dispatch
package import MigrationCore
package import MigrationPorts

/// Simulated devices within this process: the kernel's rules, no hardware.
///
/// Every device has the content of its seed until it is opened; ``initialSessions()`` opens those
/// that never were without losing it.
package final class SimulatedBackend: DeviceBackend {
    private let simulated: [DeviceID: SimulatedDevice]
    /// By id.
    private let sorted: [SimulatedDevice]

    /// Devices `sim-0`, `sim-1`, … in the order of the specifications.
    ///
    /// What happens to them goes to `evidence`. Throws `invalid-field` when a fault names a device
    /// that there is not.
    package init(
        _ specs: [SimulationSpec],
        clock: any HostClock = MachineClock(),
        evidence: EvidenceLog? = nil
    ) throws(Problem) {
        let signals = DispatchQueue(label: "ferry.simulated.signals")
        var simulated: [DeviceID: SimulatedDevice] = [:]
        for spec in specs {
            for _ in 0..<spec.count {
                let number = simulated.count
                guard let id = DeviceID("sim-\(number)") else { continue }
                simulated[id] = SimulatedDevice(
                    id,
                    number: number,
                    spec,
                    clock,
                    signals: signals,
                    evidence: evidence
                )
            }
        }
        for spec in specs {
            for id in spec.faults.compactMap(\.device) where simulated[id]?.spec != spec {
                throw Problem(
                    .invalidField,
                    "a fault names \(id), which is no device of its simulation"
                )
            }
        }
        self.simulated = simulated
        self.sorted = simulated.values.sorted { $0.id < $1.id }
        evidence?.hostStarted(at: clock.monotonicNanoseconds())
    }

    var deviceIDs: [DeviceID] { sorted.map(\.id) }

    package func devices() -> [DeviceRecord] { sorted.map { $0.record() } }

    package func device(_ id: DeviceID) -> DeviceRecord? { simulated[id]?.record() }

    package func rememberedDevice(_ id: DeviceID) -> DeviceRecord? {
        simulated[id]?.rememberedRecord()
    }

    /// Opens a device, which empties it.
    ///
    /// `companion` changes nothing: a simulated device has no address space.
    package func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        let device = try existing(id)
        let session = SimulatedSession(device)
        do {
            try device.open(for: session)
        } catch {
            throw Problem(
                error == .busy ? .deviceBusy : .deviceFailed,
                error == .busy ? "\(id) is open already" : "\(id) could not be opened",
                .init(device: id, operation: "open", errno: error)
            )
        }
        return session
    }

    package func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        _ = try existing(id)
        throw Problem(
            .invalidField,
            "\(id) is simulated and has no descriptors to hand in",
            .init(device: id)
        )
    }

    package func resume(
        _ id: DeviceID,
        _ files: [KeptFile]
    ) throws(Problem) -> any DeviceSession {
        _ = try existing(id)
        throw Problem(
            .invalidField,
            "\(id) is simulated within ferryd and outlived no daemon",
            .init(device: id)
        )
    }

    /// What the device supports is known without opening it, but a busy one refuses like a real
    /// one.
    package func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport {
        let device = try existing(id)
        guard !device.isOpen else {
            throw Problem(
                .deviceBusy,
                "\(id) is open already",
                .init(device: id, operation: "open", errno: .busy)
            )
        }
        return device.support
    }

    package func holders(of id: DeviceID) -> [Problem.Holder] { [] }

    package var remakesContent: Bool { true }

    package func initialSessions() -> [any DeviceSession] {
        sorted.compactMap { openUntouched($0.id) }
    }

    /// Opens a device that was never open with the content of its seed; nil when it was.
    func openUntouched(_ id: DeviceID) -> (any DeviceSession)? {
        guard let device = simulated[id] else { return nil }
        let session = SimulatedSession(device)
        return device.openUntouched(for: session) ? session : nil
    }

    /// Ends every open that hangs; later ones do not hang.
    package func endWaits() { for device in simulated.values { device.stopping.interrupt() } }

    /// Signals the holder of a device as the kernel would; nobody hears it when nobody listens.
    package func simulateSignal(_ signal: DeviceSignal, on id: DeviceID) {
        simulated[id]?.signal(signal)
    }

    /// Makes a device fail later, in addition to what its specification says.
    ///
    /// Its occurrences count from now; false when the device has too many faults already.
    /// `onMeeting` is called whenever a call is about to fail by it, hang or be late, on the thread
    /// of that call and under the device's lock: all it may do is to wake somebody.
    @discardableResult
    package func inject(
        _ fault: Fault,
        into id: DeviceID,
        onMeeting: (@Sendable () -> Void)? = nil
    ) -> Bool {
        simulated[id]?.inject(fault, onMeeting) ?? false
    }

    private func existing(_ id: DeviceID) throws(Problem) -> SimulatedDevice {
        guard let device = simulated[id] else {
            throw Problem(.deviceGone, "there is no device \(id)", .init(device: id))
        }
        return device
    }
}
