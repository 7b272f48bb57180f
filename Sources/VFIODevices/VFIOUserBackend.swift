internal import Dispatch
package import MigrationCore
package import MigrationPorts
internal import SystemIO

/// The vfio-user devices of the configuration: listed by their sockets, and never connected to.
package final class VFIOUserBackend: DeviceBackend {
    private static let reason =
        "A vfio-user device is probed and used by its protocol, which this version does not speak."

    private let devicesOfSockets: Set<DeviceID>
    private let watch: DeviceWatch<DeviceRecord>
    /// Why the kernel tells of no change; then each list that is old makes it look again.
    package let eventFailure: Errno?

    /// Looks at the sockets for a second at most: until a look is over, later if their file system
    /// hangs, they are `unreadable` with ETIMEDOUT.
    package init(_ sockets: [VFIOUserSocket]) {
        let sorted = sockets.sorted { $0.device < $1.device }
        let (events, failure) = sorted.isEmpty ? (nil, nil) : Self.events()
        let entries = sorted.flatMap(\.entries)
        devicesOfSockets = Set(sorted.map(\.device))
        eventFailure = failure
        let unseen = sorted.map { Self.record(of: $0, .unreadable(.timedOut)) }
        watch = DeviceWatch(hearing: events, assuming: unseen) {
            // Before the look: what comes during it is heard of. Again each time, because a
            // directory on the way may be another one by now.
            events?.watch(entries)
            return (
                sorted.map { Self.record(of: $0, Self.facts(ofPath: $0.path)) }, isWhole: true
            )
        }
    }

    private static func events() -> (DirectoryEvents?, Errno?) {
        do {
            return (try DirectoryEvents(), nil)
        } catch {
            return (nil, error)
        }
    }

    package func devices() -> [DeviceRecord] { devicesOfSockets.isEmpty ? [] : watch.devices }

    package func device(_ id: DeviceID) -> DeviceRecord? {
        guard devicesOfSockets.contains(id) else { return nil }
        return watch.devices.first { $0.id == id }
    }

    package func observe(_ onChange: @escaping @Sendable (DeviceChanges) -> Bool) {
        watch.observe { gone, changed in
            onChange(DeviceChanges(gone: gone, changed: changed.map(\.id)))
        }
    }

    /// Looks now; blocks until the list is that of now.
    func lookNow() { watch.lookNow() }

    private static func record(of socket: VFIOUserSocket, _ facts: SocketFacts) -> DeviceRecord {
        var record = DeviceRecord(
            id: socket.device,
            backend: .vfioUser,
            bus: .vfioUser,
            address: socket.path
        )
        record.change {
            $0.socket = facts
            $0.listedOnly = reason
        }
        return record
    }

    private static func facts(ofPath path: String) -> SocketFacts {
        do throws(Errno) {
            let status = try EntryStatus(ofPath: path)
            guard status.kind == .socket else { return .notASocket }
            return .present(
                permissions: status.permissions,
                owner: status.owner,
                group: status.group
            )
        } catch {
            return [.noEntry, .notDirectory].contains(error) ? .missing : .unreadable(error)
        }
    }

    // MARK: What it does not do

    package func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        throw Problem.listedOnly(id, Self.reason)
    }

    package func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        throw Problem.listedOnly(id, Self.reason)
    }

    package func resume(
        _ id: DeviceID,
        _ files: [KeptFile]
    ) throws(Problem) -> any DeviceSession {
        throw Problem.listedOnly(id, Self.reason)
    }

    package func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport {
        throw Problem.listedOnly(id, Self.reason)
    }

    package func change(_ id: DeviceID, _ change: DeviceChange) throws(Problem) {
        var facts = Problem.Facts(device: id)
        facts.reasons = ["A vfio-user device is a program behind a socket: it has no driver."]
        throw Problem(.changeRefused, "\(id) cannot be changed: it is listed only.", facts)
    }

    package func holders(of id: DeviceID) -> [Problem.Holder] { [] }

    package func initialSessions() -> [any DeviceSession] { [] }
}

extension VFIOUserSocket {
    /// The names that lead to the socket, each in its directory, from the root on.
    fileprivate var entries: [DirectoryEvents.Entry] {
        var directory = ""
        return SysfsPath.components(path).map { name in
            defer { directory += "/\(name)" }
            return DirectoryEvents.Entry(
                directory: directory.isEmpty ? "/" : directory,
                name: String(name)
            )
        }
    }
}

extension DirectoryEvents: LookHints {
    /// A buffer has room for a thousand messages without a name.
    private static let bufferLimit = 16

    func areWorthLooking(limit: Int) -> Bool { receive(limit: min(limit, Self.bufferLimit)) }
}

extension DeviceRecord: WatchedDevice {
    func isStill(_ before: Self) -> Bool { self == before }
}
