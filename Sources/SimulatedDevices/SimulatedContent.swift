/// What a simulated device holds: a key for every page, from which the page's bytes are made.
struct SimulatedContent: Sendable {
    let layout: PageLayout
    private var base: Base
    /// Page writes of the device's user since the base was put there.
    private(set) var writeCount: UInt64 = 0

    private enum Base {
        /// Fresh from a reset: zeros.
        case empty
        /// What a seed makes.
        case seeded(UInt64)
        /// What a stream brought, page by page.
        case loaded([UInt64])
    }

    /// The content of a device fresh from a reset.
    init(emptyWith layout: PageLayout) {
        self.layout = layout
        self.base = .empty
    }

    /// The content a seed makes.
    init(seed: UInt64, layout: PageLayout) {
        self.layout = layout
        self.base = .seeded(seed)
    }

    /// The content a stream brought.
    init(keys: [UInt64], layout: PageLayout) {
        self.layout = layout
        self.base = .loaded(keys)
    }

    /// Whether it is that of a device fresh from a reset.
    var isEmpty: Bool { !canChange }

    /// Nothing drives an empty device, so nothing in it changes either.
    var canChange: Bool {
        if case .empty = base { false } else { true }
    }

    /// The key of a page now.
    func key(ofPage page: Int) -> UInt64 {
        let original: UInt64
        switch base {
        case .empty: return 0
        case .seeded(let seed): original = PagePattern.mix(seed ^ PagePattern.mix(UInt64(page))) | 1
        case .loaded(let keys): original = keys[page]
        }
        guard writeCount > 0 else { return original }
        let version = layout.writes(toPage: page, after: writeCount)
        return version == 0 ? original : PagePattern.mix(original ^ PagePattern.mix(version)) | 1
    }

    /// Puts a page that a stream brought; the others stay as they are.
    mutating func replace(page: Int, key: UInt64) {
        var keys: [UInt64]
        if case .loaded(let loaded) = base, writeCount == 0 {
            keys = loaded
        } else {
            keys = (0..<layout.pageCount).map(self.key(ofPage:))
        }
        // The only reference is `keys` while it is changed: no copy of it is made.
        base = .empty
        keys[page] = key
        base = .loaded(keys)
        writeCount = 0
    }

    /// The device's user writes this many pages, in an order that visits all before one again.
    mutating func write(pages: UInt64) { writeCount &+= pages }

    /// A digest over the whole content, 32 hexadecimal digits.
    func digest() -> String {
        var low = PagePattern.mix(layout.stateByteCount)
        var high = PagePattern.mix(~layout.stateByteCount)
        for page in 0..<layout.pageCount {
            let key = key(ofPage: page)
            low = (low ^ key) &* 0xff51_afd7_ed55_8ccd
            low ^= low >> 33
            high = (high &+ key) &* 0xc4ce_b9fe_1a85_ec53
            high ^= high >> 29
        }
        return hexadecimal(PagePattern.mix(low)) + hexadecimal(PagePattern.mix(high ^ low))
    }

    private func hexadecimal(_ word: UInt64) -> String {
        let digits = String(word, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
