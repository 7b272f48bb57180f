internal import MigrationCore
internal import MigrationPorts

/// The backends of the daemon, asked as one.
struct Backends: Sendable {
    let all: [any DeviceBackend]

    var records: [DeviceRecord] {
        // Each list is sorted, and mostly only one of them has anything.
        let lists = all.map { $0.devices() }.filter { !$0.isEmpty }
        if lists.count < 2 { return lists.first ?? [] }
        return lists.flatMap(\.self).sorted { $0.id < $1.id }
    }

    func record(_ id: DeviceID) -> DeviceRecord? {
        for backend in all {
            if let record = backend.device(id) { return record }
        }
        return nil
    }

    /// Where a device is on the host; nil for one that is not there.
    func place(of id: DeviceID) -> DevicePlace? {
        for backend in all {
            if let place = backend.place(of: id) { return place }
        }
        return nil
    }

    /// The backend that has the device, and what it knows of it.
    ///
    /// Throws `not-found`.
    func owner(of id: DeviceID) throws(Problem) -> (
        backend: any DeviceBackend, record: DeviceRecord
    ) {
        for backend in all {
            if let record = backend.device(id) { return (backend, record) }
        }
        throw Problem(
            .notFound,
            "This host has no device \(id).",
            Problem.Facts(device: id)
        )
    }
}
