internal import Dispatch
internal import MigrationCore
internal import Synchronization
internal import SystemIO

/// Reads the migration states debugfs shows.
///
/// That opens no device, but waits for the driver's lock: for seconds while somebody's SET works.
/// So threads of its own read, and whoever asks waits a bounded time for what was read until then.
/// A device that took too long is left out until its read returns.
final class DebugStates: Sendable {
    /// What debugfs says of one device.
    enum Answer: Hashable, Sendable {
        /// The driver offers migration, and its device is in this state (nil: not told).
        case state(ReportedState?)
        /// debugfs has the device, and its driver offers no migration.
        case noMigration
    }

    /// Who reads, and what is waited for.
    private struct Readers {
        var idle: [DispatchQueue]
        var stuck: Set<String> = []
    }

    private static let directory = "sys/kernel/debug/vfio"
    private static let readerCount = 4

    private let tree: ConfinedTree
    private let patience: DispatchTimeInterval
    // Guards the idle readers and the names of stuck devices. Taken inside a request's own lock, and
    // takes none: a leaf of the lock order.
    private let readers: Mutex<Readers>
    /// Counts the idle readers.
    private let idleReaders = DispatchSemaphore(value: readerCount)

    init(tree: ConfinedTree, patience: DispatchTimeInterval = .milliseconds(100)) {
        self.tree = tree
        self.patience = patience
        self.readers = Mutex(
            Readers(
                idle: (0..<Self.readerCount).map { DispatchQueue(label: "ferry.debugfs.\($0)") }
            )
        )
    }

    /// The answers for devices by their kernel names; those that take too long are missing.
    ///
    /// Several names are gone through only where debugfs has any device at all: they may be lazy.
    func answers(for names: some Collection<String>) -> [String: Answer] {
        let names = shown(names)
        guard !names.isEmpty, let (reader, stuck) = takeReader() else { return [:] }
        let request = DebugStateRequest(names.filter { !stuck.contains($0) })
        reader.async { [self] in
            while let name = request.next() {
                request.add(Self.read(name, tree), for: name)
                readers.withLock { _ = $0.stuck.remove(name) }
            }
            readers.withLock { $0.idle.append(reader) }
            idleReaders.signal()
            request.finished.signal()
        }
        _ = request.finished.wait(timeout: .now() + patience)
        return request.abandon { name in readers.withLock { _ = $0.stuck.insert(name) } }
    }

    /// Those that debugfs has: one is looked for, for several the directory is listed.
    private func shown(_ names: some Collection<String>) -> [String] {
        if names.count == 1 {
            return names.filter { name in
                SysfsPath.isName(name) && tree.hasDirectory(at: "\(Self.directory)/\(name)")
            }
        }
        let shown = Set(tree.namesIfAny(in: Self.directory))
        return shown.isEmpty ? [] : names.filter(shown.contains)
    }

    private func takeReader() -> (DispatchQueue, stuck: Set<String>)? {
        guard idleReaders.wait(timeout: .now() + patience) == .success else { return nil }
        return readers.withLock { readers in readers.idle.popLast().map { ($0, readers.stuck) } }
    }

    private static func read(_ name: String, _ tree: ConfinedTree) -> Answer? {
        let device = "\(directory)/\(name)"
        guard tree.hasDirectory(at: "\(device)/migration") else {
            return tree.hasDirectory(at: device) ? .noMigration : nil
        }
        let text = tree.textIfAny("state", in: "\(device)/migration")
        return .state(text.flatMap { DeviceState(kernelName: $0) }.map(ReportedState.known))
    }
}
