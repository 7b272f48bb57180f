internal import Glibc
internal import MigrationCore
internal import Synchronization
internal import SystemIO

/// The groups this process has open, by their numbers.
///
/// The kernel lets a group be open once, so all sessions of its devices use one file.
final class OpenGroups: Sendable {
    /// Where new containers are opened: `/dev/vfio/vfio`.
    private let containerPath: String
    // Guards the groups that were ever used here, at most one for each number the kernel gave; a
    // leaf of the lock order.
    private let groups = Mutex<[String: SharedGroup]>([:])

    init(containerPath: String) { self.containerPath = containerPath }

    func group(_ number: String) -> SharedGroup {
        groups.withLock { groups in
            if let group = groups[number] { return group }
            let group = SharedGroup(containerPath: containerPath)
            groups[number] = group
            return group
        }
    }
}

/// One group, open while sessions of its devices are.
final class SharedGroup: Sendable {
    private struct State {
        var files: GroupFiles?
        /// Counts the sessions of each device, by the kernel's names.
        var sessions: [String: Int] = [:]
        var departure = Departure.none
    }

    /// How far the group has come on its way out of its container.
    private enum Departure {
        case none
        /// These devices are closed and wait for the others: a group leaves as a whole.
        case waiting(Set<String>)
        /// The group is in an empty container, where these devices may be opened again.
        case left(Set<String>)

        /// The devices that are closed, and not open again.
        var devices: Set<String> {
            switch self {
            case .none: []
            case .waiting(let devices), .left(let devices): devices
            }
        }

        /// The same without a device that is open again, or given up for good.
        func without(_ device: String) -> Self {
            let rest = devices.subtracting([device])
            if rest.isEmpty { return .none }
            return if case .left = self { .left(rest) } else { .waiting(rest) }
        }
    }

    let containerPath: String
    // Guards the open files and the sessions that use them. Held while the group is opened, moved
    // and closed, so that nobody opens one that is being closed; taken inside device locks, and
    // takes none: of the leaves, the one that calls are made under.
    private let state = Mutex(State())

    init(containerPath: String) { self.containerPath = containerPath }

    var isOpen: Bool { state.withLock { $0.files != nil } }

    /// A session's part in the group, which `opening` opens if it is not open already.
    ///
    /// The group stays open until the last part is dropped. With `companion` the group must be in
    /// that container.
    func join(
        _ device: String,
        _ sharing: Sharing,
        joining companion: ContainerFile? = nil,
        opening: () throws(SessionRefusal) -> GroupFiles
    ) throws(SessionRefusal) -> GroupMembership {
        try state.withLock { state throws(SessionRefusal) in
            if sharing == .alone, state.sessions[device] != nil { throw .heldByOurselves }
            // Whoever came now would hold up those that are on their way out.
            if !state.departure.devices.isEmpty { throw .heldByOurselves }
            if let open = state.files {
                if let companion, !companion.isSame(as: open.container) { throw .otherContainer }
            } else {
                state.files = try opening()
            }
            state.sessions[device, default: 0] += 1
        }
        return GroupMembership(self, device)
    }

    /// Whether a device may have several sessions at once.
    enum Sharing: Hashable, Sendable {
        /// Every session but the first is refused.
        case alone
        /// The device is open already, and is to be by one more file.
        case withOthers
    }

    /// The open files; ENODEV when the group is closed.
    func files() throws(Errno) -> GroupFiles {
        guard let files = state.withLock({ $0.files }) else { throw .noDevice }
        return files
    }

    /// Takes note that a device is closed in order to leave the container.
    ///
    /// When all devices with sessions are, the group goes to an empty container. EBUSY when somebody
    /// else has a device of the group open; it stays where it was then, and ``reopen`` tries again.
    fileprivate func depart(_ device: String) throws(Errno) {
        try state.withLock { state throws(Errno) in
            state.departure = .waiting(state.departure.devices.union([device]))
            try leaveIfComplete(&state)
        }
    }

    /// A new file of a device that departed; EBUSY while its group is not in the empty container.
    fileprivate func reopen(_ device: String) throws(Errno) -> DeviceFile {
        try state.withLock { state throws(Errno) in
            try leaveIfComplete(&state)
            guard case .left(let devices) = state.departure, devices.contains(device),
                let files = state.files
            else { throw .busy }
            let file = try files.group.device(device)
            state.departure = state.departure.without(device)
            return file
        }
    }

    private func leaveIfComplete(_ state: inout State) throws(Errno) {
        guard case .waiting(let devices) = state.departure,
            devices.count == state.sessions.count, let group = state.files?.group
        else { return }
        let container = ContainerFile(try FileDescriptor(opening: containerPath, O_RDWR))
        try group.leaveContainer()
        state.files = GroupFiles(group: group, container: container)
        try group.join(container)
        try container.setIOMMU()
        state.departure = .left(devices)
    }

    fileprivate func leave(_ device: String) {
        state.withLock { state in
            let count = (state.sessions[device] ?? 0) - 1
            state.sessions[device] = count > 0 ? count : nil
            if count <= 0 { state.departure = state.departure.without(device) }
            if state.sessions.isEmpty { state.files = nil }
        }
    }
}

/// A session's part in a group; the last part of a group closes it.
final class GroupMembership: Sendable {
    let group: SharedGroup
    private let device: String

    fileprivate init(_ group: SharedGroup, _ device: String) {
        self.group = group
        self.device = device
    }

    deinit { group.leave(device) }

    /// A new file of the session's device.
    func openDevice() throws(Errno) -> DeviceFile { try group.files().group.device(device) }

    /// Takes the session's device, which is closed, out of its container, with its group.
    func leaveContainer() throws(Errno) { try group.depart(device) }

    /// A new file of the device, which has no DMA mapping.
    ///
    /// EBUSY while other devices of the group are in the old container.
    func reopenDevice() throws(Errno) -> DeviceFile { try group.reopen(device) }
}
