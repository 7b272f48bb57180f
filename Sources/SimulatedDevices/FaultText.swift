package import MigrationCore

/// The text of a fault.
extension Fault {
    /// The longest delay: longer than any limit of a job.
    static let delayRange: ClosedRange<Duration> = .zero ... .seconds(3600)
    static let shortRange: ClosedRange<UInt64> = 1...(1 << 30)

    /// Reads `OPERATION:OUTCOME:N[+][@DEVICE]`.
    ///
    /// Throws `invalid-field`, naming the part at fault.
    package static func parse(_ text: some StringProtocol) throws(Problem) -> Fault {
        let parts = Substring(text).split(
            separator: "@",
            maxSplits: 1,
            omittingEmptySubsequences: false
        )
        var device: DeviceID?
        if parts.count == 2 {
            device = DeviceID(String(parts[1]))
            guard device != nil else { throw refusal("no device is called", parts[1]) }
        }
        var words = (parts.first ?? "").split(separator: ":", omittingEmptySubsequences: false)
        let operation = try takeOperation(from: &words)
        guard words.count == 2 else {
            throw Problem(
                .invalidField,
                "a fault is OPERATION:OUTCOME:N[+][@DEVICE], as arc:STOP-STOP_COPY:EIO:1"
            )
        }
        let (occurrence, isRepeated) = try count(words[1])
        return Fault(
            operation,
            try outcome(words[0], of: operation),
            occurrence: occurrence,
            isRepeated: isRepeated,
            device: device
        )
    }

    private static func takeOperation(
        from words: inout [Substring]
    ) throws(Problem) -> Operation {
        guard !words.isEmpty else { throw refusal("no operation is called", "") }
        let word = words.removeFirst()
        switch word {
        case "open": return .open
        case "reset": return .reset
        case "detach": return .detach
        case "get": return .get
        case "data_size": return .dataSize
        case "read": return .read
        case "write": return .write
        case "precopy_info": return .preCopyInfo
        case "arc":
            guard !words.isEmpty else { throw refusal("an arc is FROM-TO, not", "") }
            return try arc(words.removeFirst())
        default: throw refusal("no operation is called", word)
        }
    }

    private static func arc(_ word: Substring) throws(Problem) -> Operation {
        let ends = word.split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2 else { throw refusal("an arc is FROM-TO, not", word) }
        return .arc(from: try end(ends[0]), to: try end(ends[1]))
    }

    /// A state, or nil for `*`.
    private static func end(_ word: Substring) throws(Problem) -> DeviceState? {
        if word == "*" { return nil }
        if let state = DeviceState(kernelName: word) { return state }
        throw refusal("no state is called", word)
    }

    private static func outcome(
        _ word: Substring,
        of operation: Operation
    ) throws(Problem) -> Outcome {
        switch word {
        case "ERROR": return .errorState
        case "ASYNC_ERROR": return .errorAfterwards
        case "HANG": return .hang
        case "EOF" where operation == .read: return .short(byteCount: 0)
        case "EOF": throw refusal("only a read ends with", word)
        default: break
        }
        if let value = word.value(after: "DELAY=") {
            guard let duration = SimulationValue.duration(value), delayRange.contains(duration)
            else { throw refusal("a delay is a duration up to 3600s with its unit, not", value) }
            return .delay(duration)
        }
        if let value = word.value(after: "SHORT=") {
            guard operation == .read || operation == .write else {
                throw refusal("only a read or a write is", word)
            }
            guard let number = SimulationValue.byteCount(value), shortRange.contains(number) else {
                throw refusal("a short read or write moves 1 to 1GiB bytes, not", value)
            }
            return .short(byteCount: Int(number))
        }
        guard
            let number = (1...133).first(where: { Errno(number: $0).name == word && !isUnnamed($0) }
            )
        else { throw refusal("no outcome is called", word) }
        return .errno(Errno(number: number))
    }

    /// Numbers without a name are shown as `E41`, which is no name to ask for.
    private static func isUnnamed(_ number: Int32) -> Bool {
        Errno(number: number).name == "E\(number)"
    }

    private static func count(_ word: Substring) throws(Problem) -> (UInt64, Bool) {
        let isRepeated = word.hasSuffix("+")
        guard let number = SimulationValue.number(isRepeated ? word.dropLast() : word), number > 0
        else { throw refusal("the time it fails counts from 1, and is not", word) }
        return (number, isRepeated)
    }

    private static func refusal(_ what: String, _ text: some StringProtocol) -> Problem {
        Problem(.invalidField, "\(what) \(SimulationValue.quoted(text))")
    }
}

extension Substring {
    /// What follows a prefix; nil when it is not there.
    fileprivate func value(after prefix: String) -> Substring? {
        hasPrefix(prefix) ? dropFirst(prefix.count) : nil
    }
}
