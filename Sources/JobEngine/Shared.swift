/// A value behind one reference, for what is large, copied all the time and seldom changed.
///
/// A copy costs a retain, and a value that did not change equals itself at once.
struct Shared<Value: Hashable & Sendable>: Hashable, Sendable {
    /// Never changes, so that whoever shares it may read it.
    private final class Storage: Sendable {
        let value: Value

        init(_ value: Value) { self.value = value }
    }

    private let storage: Storage

    init(_ value: Value) { storage = Storage(value) }

    var value: Value { storage.value }

    static func == (left: Self, right: Self) -> Bool {
        left.storage === right.storage || left.storage.value == right.storage.value
    }

    func hash(into hasher: inout Hasher) { storage.value.hash(into: &hasher) }
}
