internal import Dispatch
internal import MigrationCore
internal import Synchronization
internal import SystemIO

/// Reads the migration states debugfs shows, which opens no device but waits for the driver's lock:
/// for seconds while somebody's SET works.
///
/// So a thread of its own reads, and whoever asks waits a bounded time for what was read until
/// then.
final class DebugStates: Sendable {
    /// What debugfs says of one device.
    enum Answer: Hashable, Sendable {
        /// The driver offers migration, and its device is in this state (nil: not told).
        case state(ReportedState?)
        /// debugfs has the device, and its driver offers no migration.
        case noMigration
    }

    private static let directory = "sys/kernel/debug/vfio"
    private static let requestLimit = 8
    private static let patience = DispatchTimeInterval.milliseconds(100)

    private let tree: ConfinedTree
    private let queue = DispatchQueue(label: "ferry.debugfs")
    // Guards the number of requests that wait or are read; a leaf of the lock order.
    private let requests = Mutex(0)

    init(tree: ConfinedTree) { self.tree = tree }

    /// The answers for devices by their kernel names; those that took too long are missing.
    func answers(for names: [String]) -> [String: Answer] {
        let known = Set(tree.namesIfAny(in: Self.directory))
        let wanted = names.filter(known.contains)
        guard !wanted.isEmpty, admit() else { return [:] }
        let request = Request()
        queue.async { [tree, self] in
            for name in wanted where !request.isAbandoned {
                request.add(Self.read(name, tree), for: name)
            }
            request.finished.signal()
            requests.withLock { $0 -= 1 }
        }
        _ = request.finished.wait(timeout: .now() + Self.patience)
        return request.abandon()
    }

    private func admit() -> Bool {
        requests.withLock { count in
            guard count < Self.requestLimit else { return false }
            count += 1
            return true
        }
    }

    private static func read(_ name: String, _ tree: ConfinedTree) -> Answer {
        let device = "\(directory)/\(name)"
        guard tree.namesIfAny(in: device).contains("migration") else { return .noMigration }
        let text = tree.textIfAny("state", in: "\(device)/migration")
        return .state(text.flatMap { DeviceState(kernelName: $0) }.map(ReportedState.known))
    }

    /// One caller's list of devices, while it is read.
    private final class Request: Sendable {
        let finished = DispatchSemaphore(value: 0)
        // Guards the answers so far, nil once the caller has gone; a leaf of the lock order.
        private let answers = Mutex<[String: Answer]?>([:])

        var isAbandoned: Bool { answers.withLock { $0 == nil } }

        func add(_ answer: Answer, for name: String) {
            answers.withLock { $0?[name] = answer }
        }

        func abandon() -> [String: Answer] {
            answers.withLock { answers in
                defer { answers = nil }
                return answers ?? [:]
            }
        }
    }
}
