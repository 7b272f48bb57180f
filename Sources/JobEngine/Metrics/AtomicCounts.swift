internal import Synchronization

/// A row of counts that any number of threads add to without a lock.
///
/// Each addition is one relaxed atomic one: a reader may see one count of a moment and not another,
/// never a wrong one.
@safe package final class AtomicCounts: @unchecked Sendable {
    // Sendable: the cells are atomics, and where they are never changes while the object lives.
    private let cells: UnsafeMutablePointer<Atomic<UInt64>>
    package let count: Int

    /// So many counts, all 0.
    package init(_ count: Int) {
        self.count = count
        unsafe cells = .allocate(capacity: count)
        for index in 0..<count { unsafe (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        unsafe cells.deinitialize(count: count)
        unsafe cells.deallocate()
    }

    package func add(_ amount: UInt64 = 1, at index: Int) {
        precondition(index >= 0 && index < count)
        unsafe cells[index].wrappingAdd(amount, ordering: .relaxed)
    }

    package subscript(index: Int) -> UInt64 {
        precondition(index >= 0 && index < count)
        return unsafe cells[index].load(ordering: .relaxed)
    }
}
