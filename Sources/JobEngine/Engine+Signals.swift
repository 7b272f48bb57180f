internal import MigrationCore
internal import MigrationPorts
internal import Synchronization

/// What the kernel asks of the holder of a device: to let it go, or to know that it failed.
extension Engine {
    /// Called by a backend, on a thread of its own.
    func didSignal(_ signal: DeviceSignal, _ session: OpenSession) {
        let device = session.device.device
        var change = StoreChange()
        if signal == .errorSignalled {
            let record = session.update { $0.note = "The device signalled an unrecoverable error." }
            change = StoreChange(record, at: clock.timestamp())
        }
        alert(device, signal, with: change)
        guard case .job(let id)? = locks.holder(of: device), let job = jobTable.job(id) else {
            if signal == .unplugRequested { leave(device) }
            return
        }
        // First, so that an end of the job meanwhile finds it.
        if signal == .unplugRequested { _ = leaving.withLock { $0.insert(device) } }
        let isCalledOff = job.interrupt(cause(signal, device)) || job.isCalledOff
        workers.withdraw(id)
        if locks.holder(of: device) == .job(id) {
            guard !isCalledOff else { return }
            // After the commit there is only the way forward: the alert is all.
            _ = leaving.withLock { $0.remove(device) }
            job.recordAnyway { $0.warn(warning(signal, device)) }
        } else if leaving.withLock({ $0.remove(device) }) != nil {
            // The job ended before the device was on the list.
            leave(device)
        }
    }

    private func warning(_ signal: DeviceSignal, _ device: DeviceID) -> String {
        switch signal {
        case .unplugRequested: "Somebody unbinds or unplugs \(device), behind the commit."
        case .errorSignalled: "\(device) signalled an unrecoverable error, behind the commit."
        }
    }

    private func cause(_ signal: DeviceSignal, _ device: DeviceID) -> Problem {
        switch signal {
        case .unplugRequested:
            Problem(
                .unplugRequested,
                "Somebody unbinds or unplugs \(device); the job was called off to let it go.",
                Problem.Facts(device: device)
            )
        case .errorSignalled:
            Problem(
                .deviceFailed,
                "\(device) signalled an unrecoverable error.",
                Problem.Facts(device: device)
            )
        }
    }

    /// Ends the session of a device that somebody waits for.
    ///
    /// Its content goes with it.
    func leave(_ device: DeviceID) {
        do throws(Problem) {
            try perform { self.leaveNow(device) }
        } catch {
            // The kernel asks again every ten seconds, so an overloaded moment costs only time.
            alert(device, .unplugRequested)
        }
    }

    private func leaveNow(_ device: DeviceID) {
        let operation = DeviceLocks.Holder.operation("it is being let go")
        do throws(Problem) {
            try locks.acquire([device], for: operation)
            defer { locks.release([device], from: operation) }
            guard let session = sessionTable.open(on: device) else { return }
            let content = session.record.content
            try end(
                session,
                .lost,
                content == .empty ? .empty : .lost,
                "Closed because the device was asked back by the kernel.",
                .always
            )
        } catch {
            alert(device, .unplugRequested)
        }
    }

    /// An event that says what was signalled, with what it changed.
    ///
    /// Losing one to a failing store loses no state.
    private func alert(
        _ device: DeviceID,
        _ signal: DeviceSignal,
        with change: StoreChange = StoreChange()
    ) {
        var change = change
        let text =
            switch signal {
            case .unplugRequested: "unplug_requested"
            case .errorSignalled: "error_signalled"
            }
        change.events.append(Event(at: clock.timestamp(), topic: .deviceAlert(device, text)))
        try? events.telling { () throws(Problem) in try store.apply(change, .process) }
    }
}
