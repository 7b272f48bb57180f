internal import Dispatch
internal import Glibc
internal import Synchronization

/// A long list that is worked through in parts, on as many threads as there are processors.
///
/// The threads are of queues without a target, because reading sysfs may wait.
enum SideBySide {
    /// Fewer are not worth a thread.
    private static let leastCount = 128
    private static let partLimit = 4

    /// What `work` makes of every part, in the order of the list; blocks until it has all.
    static func map<Item: Sendable, Value: Sendable>(
        _ items: [Item],
        _ work: @escaping @Sendable (ArraySlice<Item>) -> [Value]
    ) -> [Value] {
        let count = min(partLimit, sysconf(Int32(_SC_NPROCESSORS_ONLN)), items.count / leastCount)
        guard count > 1 else { return work(items[...]) }
        let part = { @Sendable (number: Int) in
            items[items.count * number / count..<items.count * (number + 1) / count]
        }
        // Guards what the other threads made; a leaf of the lock order.
        let others = Mutex([[Value]](repeating: [], count: count))
        let working = DispatchGroup()
        for number in 1..<count {
            DispatchQueue(label: "ferry.vfio.look.\(number)").async(group: working) {
                let values = work(part(number))
                others.withLock { $0[number] = values }
            }
        }
        let first = work(part(0))
        working.wait()
        return first + others.withLock { $0.joined() }
    }
}
