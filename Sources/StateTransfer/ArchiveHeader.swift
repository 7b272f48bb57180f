import MigrationCore

/// The header of a regular file in a tar archive: POSIX ustar, with a size of 8 GiB and more in
/// base 256, as GNU tar writes it and every tar of today reads it.
enum ArchiveHeader {
    /// Bytes of a header, and what everything in an archive is a multiple of.
    static let blockByteCount = 512
    private static let sizeField = 124..<136
    private static let octalSizeLimit: UInt64 = 1 << 33

    /// The one header of such a file: the owner is root, the mode 0600, and whatever else might
    /// differ is left empty.
    static func bytes(of name: String, byteCount: UInt64, at time: Timestamp) -> [UInt8] {
        var header = [UInt8](repeating: 0, count: blockByteCount)
        put(name.utf8, into: &header, at: 0)
        put(octal(0o600, digits: 7), into: &header, at: 100)
        put(octal(0, digits: 7), into: &header, at: 108)
        put(octal(0, digits: 7), into: &header, at: 116)
        put(size(byteCount), into: &header, at: sizeField.lowerBound)
        put(octal(seconds(of: time), digits: 11), into: &header, at: 136)
        // The checksum counts its own field as spaces.
        put("        ".utf8, into: &header, at: 148)
        put("0".utf8, into: &header, at: 156)
        put("ustar\u{0}00".utf8, into: &header, at: 257)
        let sum = header.reduce(0) { $0 + UInt64($1) }
        put(octal(sum, digits: 6), into: &header, at: 148)
        header[154] = 0
        return header
    }

    /// The size in a header; nil when it is not written in octal.
    static func fileByteCount(in header: ArraySlice<UInt8>) -> UInt64? {
        let digits = header.dropFirst(sizeField.lowerBound).prefix(11)
        guard digits.count == 11 else { return nil }
        var value: UInt64 = 0
        for digit in digits {
            guard (0x30...0x37).contains(digit) else { return nil }
            value = value << 3 | UInt64(digit - 0x30)
        }
        return value
    }

    /// Zeros that follow so many bytes of a file.
    static func paddingByteCount(after byteCount: UInt64) -> Int {
        let used = Int(byteCount % UInt64(blockByteCount))
        return used == 0 ? 0 : blockByteCount - used
    }

    private static func put(
        _ bytes: some Collection<UInt8>,
        into header: inout [UInt8],
        at offset: Int
    ) {
        header.replaceSubrange(offset..<(offset + bytes.count), with: bytes)
    }

    private static func octal(_ value: UInt64, digits: Int) -> [UInt8] {
        (1...digits).map { place in 0x30 + UInt8(value >> (3 * UInt64(digits - place)) & 7) }
    }

    private static func size(_ byteCount: UInt64) -> [UInt8] {
        guard byteCount >= octalSizeLimit else { return octal(byteCount, digits: 11) }
        let bytes = (0..<8).reversed().map { UInt8(truncatingIfNeeded: byteCount >> (8 * $0)) }
        return [0x80, 0, 0, 0] + bytes
    }

    /// Whole seconds since 1970, as far as eleven octal digits reach.
    private static func seconds(of time: Timestamp) -> UInt64 {
        UInt64(min(max(time.millisecondsSinceEpoch / 1000, 0), (1 << 33) - 1))
    }
}
