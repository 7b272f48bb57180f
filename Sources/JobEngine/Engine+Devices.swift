internal import MigrationCore
internal import MigrationPorts

/// Devices that come, go and change.
extension Engine {
    /// Has every change of a backend's list told as an event from now on.
    func followDevices() {
        for backend in backends.all {
            // An engine that is gone owes nobody an event.
            backend.observe { [weak self] changes in self?.didChange(changes) ?? true }
        }
    }

    /// Called by a backend, on a thread of its own.
    ///
    /// Blocks on the store. Gives whether all of it is in there; what is told a second time because
    /// it was not sends a reader to look again, no more.
    func didChange(_ changes: DeviceChanges) -> Bool {
        let now = clock.timestamp()
        let events =
            changes.gone.map { Event(at: now, topic: .deviceGone($0)) }
            + changes.changed.map { Event(at: now, topic: .deviceChanged($0)) }
        let limit = max(1, configuration.deviceEventBatchCount)
        do throws(Problem) {
            // By parts, so that what jobs write comes in between.
            for start in stride(from: 0, to: events.count, by: limit) {
                let part = events[start..<min(start + limit, events.count)]
                try self.events.telling { () throws(Problem) in
                    try store.apply(StoreChange(events: Array(part)), .process)
                }
            }
            return true
        } catch {
            return false
        }
    }
}
