internal import MigrationCore
internal import MigrationPorts

/// A device on its way to the program that collects it: ferryd keeps its own hold until the
/// program confirms.
struct Collection: Sendable {
    let session: OpenSession
    fileprivate static let lock = DeviceLocks.Holder.operation("it is being collected")
}

extension Engine {
    /// Locks a session for the program that collects it.
    ///
    /// A device that was stopped for an image is not given out: its user would run the content
    /// beside what is made of the image. Nor is one whose job was resolved to nobody.
    func beginCollection(of id: SessionID) throws(Problem) -> Collection {
        guard let session = sessionTable.open(id) else { throw Self.missing(id) }
        try locks.acquire([session.device.device], for: Collection.lock)
        let collection = Collection(session: session)
        guard let bar = session.bar else { return collection }
        abandon(collection)
        throw bar
    }

    /// The descriptors to send, and the page table the device is attached to.
    func descriptors(for collection: Collection) throws(Problem) -> DeviceDescriptors {
        let device = collection.session.device
        do throws(Errno) {
            if let descriptors = try device.session.duplicateDescriptors() { return descriptors }
        } catch {
            throw device.failure("fcntl F_DUPFD_CLOEXEC", error)
        }
        throw Problem(
            .incompatible,
            "\(device.device) has no descriptors to collect: it is simulated.",
            Problem.Facts(device: device.device)
        )
    }

    /// The program has the device: ferryd lets go.
    ///
    /// Blocking. When the store does not take it, the session stays as it was and the collection
    /// with it, for the caller to confirm again or to abandon.
    func confirm(_ collection: Collection) throws(Problem) {
        let content = collection.session.record.content
        try end(collection.session, .collected, content, "Collected by the device's user.")
        abandon(collection)
    }

    /// Frees the device for others: the session has ended, or stays as it was.
    func abandon(_ collection: Collection) {
        locks.release([collection.session.device.device], from: Collection.lock)
    }
}
