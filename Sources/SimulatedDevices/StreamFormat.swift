/// The bytes that stand around the pages in a simulated stream.
///
/// All numbers are little-endian.
///
/// A whole state: `identity` (24 bytes), then every page in order. Records: each a header of
/// payload size (8 bytes), flags (4) and tag (4), then the payload, as mlx5 and virtio have them.
enum StreamFormat {
    static let identityByteCount = 24
    static let recordHeaderByteCount = 16
    static let pageNumberByteCount = 8
    /// What a page costs beyond its bytes, as a record.
    static let pageOverheadByteCount = recordHeaderByteCount + pageNumberByteCount

    /// What a record carries.
    enum Tag: UInt32 {
        /// The number of a page and its bytes.
        case page = 0
        /// A hint of the final size; a driver that does not know it may skip it.
        case stopCopySize = 1
        /// The match header.
        case identity = 2
    }

    /// The only flag: whoever does not know the tag skips the record.
    static let optionalFlag: UInt32 = 1

    /// The match header of a device.
    static func identity(of profile: DeviceProfile, _ layout: PageLayout) -> [UInt8] {
        bytes(profile.magic) + bytes(layout.stateByteCount)
            + bytes(PagePattern.mix(profile.magic ^ layout.stateByteCount))
    }

    static func recordHeader(
        payloadByteCount: Int,
        isOptional: Bool = false,
        _ tag: Tag
    ) -> [UInt8] {
        bytes(UInt64(payloadByteCount)) + bytes(isOptional ? optionalFlag : 0) + bytes(tag.rawValue)
    }

    static func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
        (0..<Number.bitWidth / 8).map { UInt8(truncatingIfNeeded: number >> Number($0 * 8)) }
    }

    static func number<Number: FixedWidthInteger>(_ bytes: some Collection<UInt8>) -> Number {
        bytes.reversed().reduce(0) { $0 << 8 | Number($1) }
    }
}
