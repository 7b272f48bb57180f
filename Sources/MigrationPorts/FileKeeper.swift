package import MigrationCore

/// Holds the open files of sessions over the daemon's death: a service manager's descriptor store.
package protocol FileKeeper: Sendable {
    /// Hands a session's files over; they are held when it returns.
    ///
    /// Blocking, at most some seconds. Throws `storage-failed` when the keeper does not answer.
    func keep(_ files: [KeptFile], of session: SessionID) throws(Problem)

    /// Makes the keeper let a session's files go; it has when this returns.
    ///
    /// Blocking, at most some seconds; a keeper that does not answer is not waited for any longer.
    func letGo(_ names: [String], of session: SessionID)
}

/// The files a keeper held of one session when the daemon started.
package struct KeptSession: Sendable {
    package let id: SessionID
    package let files: [KeptFile]

    package init(id: SessionID, files: [KeptFile]) {
        self.id = id
        self.files = files
    }
}
