internal import MigrationCore

/// The text of a `next_cursor`: where in which list a page ended.
///
/// It says no more than the last item said, and whoever makes one up only begins elsewhere, so
/// nothing protects it. A daemon that is started anew understands those of the one before.
enum ListCursor {
    /// The longest text there is: four values of a sort and an id, each a text that is in the
    /// document.
    static let byteLimit = 4096

    /// The cursor behind a position, in a list that `binding` stands for.
    static func text(behind position: [FieldValue?], of binding: String) -> String {
        var bytes: [UInt8] = []
        bytes.append(fnv1a(binding))
        for value in position { bytes.append(value) }
        return bytes.reduce(into: "") { $0 += hexadecimal($1) }
    }

    /// The position a cursor is behind.
    ///
    /// Throws `bad-request` for a text that is no cursor, and for one of another list.
    static func position(in text: String, of binding: String) throws(Problem) -> [FieldValue?] {
        guard text.utf8.count <= byteLimit, var rest = bytes(of: text)?[...],
            let bound: UInt64 = rest.take(), let position = values(in: &rest)
        else {
            throw ListParameters.foreignCursor
        }
        guard bound == fnv1a(binding) else {
            throw Problem(
                .badRequest,
                "The cursor is of another list, filter or sort: list again from the start."
            )
        }
        return position
    }

    private static func values(in rest: inout ArraySlice<UInt8>) -> [FieldValue?]? {
        var values: [FieldValue?] = []
        while !rest.isEmpty {
            guard let value = rest.takeValue() else { return nil }
            values.append(value)
        }
        return values
    }

    /// Tells lists, filters and sorts apart, the same in every daemon (FNV-1a).
    private static func fnv1a(_ text: String) -> UInt64 {
        text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }

    private static func bytes(of text: String) -> [UInt8]? {
        guard text.utf8.count % 2 == 0 else { return nil }
        var bytes: [UInt8] = []
        var digits = text.utf8.makeIterator()
        while let high = digits.next(), let low = digits.next() {
            guard let high = digit(high), let low = digit(low) else { return nil }
            bytes.append(high << 4 | low)
        }
        return bytes
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}

/// What a value begins with.
private enum Mark: UInt8 {
    case missing
    case text
    case number
    case time
    case flag
}

extension [UInt8] {
    fileprivate mutating func append(_ number: some FixedWidthInteger) {
        for shift in stride(from: number.bitWidth - 8, through: 0, by: -8) {
            append(UInt8(truncatingIfNeeded: number >> shift))
        }
    }

    fileprivate mutating func append(_ value: FieldValue?) {
        switch value {
        // A list is sorted by no set.
        case nil, .set: append(Mark.missing.rawValue)
        case .text(let text):
            append(Mark.text.rawValue)
            append(UInt32(clamping: text.utf8.count))
            append(contentsOf: text.utf8)
        case .number(let number):
            append(Mark.number.rawValue)
            append(number)
        case .time(let time):
            append(Mark.time.rawValue)
            append(time.millisecondsSinceEpoch)
        case .flag(let flag):
            append(Mark.flag.rawValue)
            append(flag ? 1 : UInt8(0))
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate mutating func take<Number: FixedWidthInteger>() -> Number? {
        let byteCount = Number.bitWidth / 8
        guard count >= byteCount else { return nil }
        let bytes = prefix(byteCount)
        removeFirst(byteCount)
        return bytes.reduce(0) { $0 << 8 | Number(truncatingIfNeeded: $1) }
    }

    /// Nil when there is no value; nil within it when there is one that stands for none.
    fileprivate mutating func takeValue() -> FieldValue?? {
        guard let byte = popFirst(), let mark = Mark(rawValue: byte) else { return nil }
        switch mark {
        case .missing: return .some(nil)
        case .text:
            guard let length: UInt32 = take(), count >= Int(length),
                let text = String(validating: prefix(Int(length)), as: UTF8.self)
            else { return nil }
            removeFirst(Int(length))
            return .text(text)
        case .number:
            guard let number: Int64 = take() else { return nil }
            return .number(number)
        case .time:
            guard let milliseconds: Int64 = take() else { return nil }
            return .time(Timestamp(millisecondsSinceEpoch: milliseconds))
        case .flag:
            guard let flag = popFirst(), flag < 2 else { return nil }
            return .flag(flag == 1)
        }
    }
}
