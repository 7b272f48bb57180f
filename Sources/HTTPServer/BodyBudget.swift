internal import Synchronization

/// The bytes that bodies of requests may have together while they are collected.
///
/// Short bodies are not counted: there is room for one of them in every connection, so that whoever
/// sends long ones keeps nobody from asking for something.
final class BodyBudget: Sendable {
    private static let shortByteCount = 16_384

    private let limit: Int
    private let taken = Atomic(0)

    init(_ limit: Int) { self.limit = limit }

    /// What a body of so many bytes counts for.
    static func charge(_ byteCount: Int) -> Int { byteCount > shortByteCount ? byteCount : 0 }

    /// Takes so many bytes; false when there are too few.
    func take(_ byteCount: Int) -> Bool {
        guard byteCount > 0 else { return true }
        let before = taken.add(byteCount, ordering: .relaxed).oldValue
        if before + byteCount <= limit { return true }
        give(byteCount)
        return false
    }

    func give(_ byteCount: Int) {
        if byteCount > 0 { taken.subtract(byteCount, ordering: .relaxed) }
    }
}
