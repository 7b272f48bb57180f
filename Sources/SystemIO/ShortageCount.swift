package import MigrationCore
internal import Synchronization

/// Counts the calls that failed only because descriptors or memory ran out: what they did not find
/// may be there.
package final class ShortageCount: Sendable {
    private let count = Atomic(0)

    package init() {}

    package var value: Int { count.load(ordering: .relaxed) }

    /// What a call gives, its failure counted if it was such a one.
    func of<Value: ~Copyable>(_ call: () throws(Errno) -> Value) throws(Errno) -> Value {
        do throws(Errno) {
            return try call()
        } catch {
            if error.isShortage { count.add(1, ordering: .relaxed) }
            throw error
        }
    }
}

extension Errno {
    /// Whether descriptors or memory ran out.
    package var isShortage: Bool {
        [.tooManyOpenFiles, .tooManyFiles, .noMemory].contains(self)
    }
}
