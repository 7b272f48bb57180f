internal import MigrationCore
internal import Synchronization

/// A document that was rendered once and is given to everybody who asks for it.
final class KeptDocument: Sendable {
    /// The answer that shows it alone.
    let response: APIResponse
    let text: [UInt8]
    let digest: TextDigest

    init(_ text: [UInt8]) {
        self.text = text
        self.digest = TextDigest(of: text)
        self.response = .tagged(text, EntityTag(digest), form: AnswerForm())
    }
}

/// The documents of one kind of resource that were asked for last.
///
/// Each is kept with the very value it was rendered from, and given again for an equal value only:
/// whatever a document shows is in that value, so nobody can be shown a state that is over. To
/// compare two values costs a hundredth of rendering one.
final class DocumentCache<Value: Equatable & Sendable>: Sendable {
    private final class Entry: Sendable {
        let value: Value
        let document: KeptDocument

        init(_ value: Value, _ document: KeptDocument) {
            self.value = value
            self.document = document
        }
    }

    private struct State {
        var entries: [String: Entry] = [:]
        /// Bytes of all documents.
        var byteCount = 0
    }

    /// The name of the resource a value is of.
    let id: @Sendable (Value) -> String
    private let render: @Sendable (Value) throws(Problem) -> [UInt8]
    private let countLimit: Int
    private let byteLimit: Int
    /// Guards the entries.
    ///
    /// A leaf: values are compared and rendered outside of it.
    private let state = Mutex(State())

    /// A cache that is emptied when it would hold more than its limits.
    ///
    /// `document` must depend on nothing but the value.
    init<Document: Encodable & SendableMetatype>(
        countLimit: Int = 2048,
        byteLimit: Int = 8 << 20,
        id: @escaping @Sendable (Value) -> String,
        document: @escaping @Sendable (Value) -> Document
    ) {
        self.countLimit = countLimit
        self.byteLimit = byteLimit
        self.id = id
        self.render = { value throws(Problem) in try APIResponse.text(of: document(value)) }
    }

    /// The answer that shows a value, or a part of it.
    func response(
        for value: Value,
        _ selection: FieldSelection? = nil
    ) throws(Problem) -> APIResponse {
        let document = try document(for: value)
        return selection.map { .tagged($0.part(of: document.text)) } ?? document.response
    }

    /// The document of a value.
    func document(for value: Value) throws(Problem) -> KeptDocument {
        let id = id(value)
        return try current(state.withLock { $0.entries[id] }, value)
    }

    /// The documents of several values, in their order.
    func documents(for values: ArraySlice<Value>) throws(Problem) -> [KeptDocument] {
        let known = state.withLock { state in values.map { state.entries[id($0)] } }
        var documents: [KeptDocument] = []
        documents.reserveCapacity(known.count)
        for (index, known) in zip(values.indices, known) {
            documents.append(try current(known, values[index]))
        }
        return documents
    }

    private func current(_ known: Entry?, _ value: Value) throws(Problem) -> KeptDocument {
        if let known, known.value == value { return known.document }
        let document = KeptDocument(try render(value))
        keep(Entry(value, document), as: id(value))
        return document
    }

    private func keep(_ entry: Entry, as id: String) {
        let byteCount = entry.document.text.count
        guard byteCount <= byteLimit else { return }
        // Returned, so that what falls out is let go after the lock.
        _ = state.withLock { state in
            let old = state.entries.removeValue(forKey: id)
            state.byteCount -= old?.document.text.count ?? 0
            var dropped: [String: Entry] = [:]
            if state.entries.count >= countLimit || state.byteCount + byteCount > byteLimit {
                swap(&dropped, &state.entries)
                state.byteCount = 0
            }
            state.entries[id] = entry
            state.byteCount += byteCount
            return (old, dropped)
        }
    }
}
