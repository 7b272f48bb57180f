internal import MigrationCore
internal import MigrationPorts

/// What the users of devices leave beside them.
extension Engine {
    /// Keeps a sidecar with a session in place of the one before; nil leaves none.
    ///
    /// Blocking. Throws `not-found`, and `device-busy` while anybody has the device to itself: a
    /// job takes the sidecar along with the content.
    func putSidecar(_ sidecar: Sidecar?, of id: SessionID) throws(Problem) {
        guard let session = sessionTable.open(id) else { throw Self.missing(id) }
        try locks.holding(session.device.device, "its sidecar is being stored") {
            () throws(Problem) in
            // Another one may have ended it before the device was ours.
            guard sessionTable.open(id) != nil else { throw Self.missing(id) }
            var record = session.record
            record.sidecar = sidecar
            try events.telling { () throws(Problem) in
                try store.apply(StoreChange(record, at: clock.timestamp()), .process)
                _ = session.update { $0.sidecar = sidecar }
            }
        }
    }

    /// The sidecar of a session, if there is one.
    ///
    /// Throws `not-found`, and `device-busy` while a job has the device, which may put another
    /// content into it; never because it is being collected.
    func sidecar(of id: SessionID) throws(Problem) -> Sidecar? {
        guard let session = sessionTable.open(id) else { throw Self.missing(id) }
        try locks.checkNoJob(on: session.device.device)
        return session.record.sidecar
    }
}
