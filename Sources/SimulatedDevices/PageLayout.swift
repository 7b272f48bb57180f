/// How a state of some size is cut into pages.
///
/// Pages are 64 KiB, less for small states so that those have pages too. The last page takes the
/// remainder, so that no page is too short to show corruption.
struct PageLayout: Hashable, Sendable {
    let stateByteCount: UInt64
    let pageByteCount: Int
    let pageCount: Int
    /// A step that visits every page once before it visits one again.
    private let stride: UInt64
    /// The step undone: `page * inverse % pageCount` is a page's place in the order of writes.
    private let inverse: UInt64

    /// `stateByteCount` is a multiple of 8 and at least 16.
    init(stateByteCount: UInt64) {
        self.stateByteCount = stateByteCount
        let pageByteCount =
            switch stateByteCount {
            case ..<4096: 64
            case ..<(1 << 20): 4096
            default: 65_536
            }
        self.pageByteCount = pageByteCount
        let pageCount = max(1, Int(stateByteCount) / pageByteCount)
        self.pageCount = pageCount
        let modulus = UInt64(pageCount)
        var stride = max(1, modulus * 5 / 8)
        var inverse = Self.inverse(of: stride, modulo: modulus)
        while inverse == nil {
            stride += 1
            inverse = Self.inverse(of: stride, modulo: modulus)
        }
        self.stride = stride
        self.inverse = inverse ?? 0
    }

    /// The bytes of a page: the last one is longer by the remainder.
    func byteCount(ofPage page: Int) -> Int {
        page == pageCount - 1
            ? Int(stateByteCount) - page * pageByteCount
            : pageByteCount
    }

    /// The page the n-th write goes to; the first write is number 0.
    func page(ofWrite write: UInt64) -> Int {
        let modulus = UInt64(pageCount)
        return Int(write % modulus * stride % modulus)
    }

    /// How often a page has been written after so many writes.
    func writes(toPage page: Int, after writes: UInt64) -> UInt64 {
        let modulus = UInt64(pageCount)
        let place = UInt64(page) * inverse % modulus
        return writes > place ? (writes - place - 1) / modulus + 1 : 0
    }

    /// The number that undoes a multiplication; nil when the two have a common divisor.
    private static func inverse(of value: UInt64, modulo modulus: UInt64) -> UInt64? {
        guard modulus > 1 else { return 0 }
        var (previous, current) = (Int64(modulus), Int64(value % modulus))
        var (previousFactor, factor): (Int64, Int64) = (0, 1)
        while current != 0 {
            let quotient = previous / current
            (previous, current) = (current, previous - quotient * current)
            (previousFactor, factor) = (factor, previousFactor - quotient * factor)
        }
        guard previous == 1 else { return nil }
        return UInt64(previousFactor < 0 ? previousFactor + Int64(modulus) : previousFactor)
    }
}
