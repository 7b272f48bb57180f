/// A set of pages, one bit each.
struct PageSet: Sendable {
    private var words: [UInt64]
    private let pageCount: Int
    private(set) var count = 0
    /// No word before this one has a bit set.
    private var firstWord = 0

    /// The empty set of pages below `pageCount`.
    init(pageCount: Int) {
        self.pageCount = pageCount
        self.words = Array(repeating: 0, count: (pageCount + 63) / 64)
    }

    func contains(_ page: Int) -> Bool { words[page / 64] & (1 << UInt64(page % 64)) != 0 }

    mutating func insert(_ page: Int) {
        let bit: UInt64 = 1 << UInt64(page % 64)
        guard words[page / 64] & bit == 0 else { return }
        words[page / 64] |= bit
        count += 1
        firstWord = min(firstWord, page / 64)
    }

    mutating func insertAll() {
        for word in words.indices { words[word] = .max }
        let excess = words.count * 64 - pageCount
        if excess > 0 { words[words.count - 1] >>= UInt64(excess) }
        count = pageCount
        firstWord = 0
    }

    mutating func formUnion(_ other: PageSet) {
        count = 0
        for word in words.indices {
            words[word] |= other.words[word]
            count += words[word].nonzeroBitCount
        }
        firstWord = 0
    }

    mutating func remove(_ page: Int) {
        let bit: UInt64 = 1 << UInt64(page % 64)
        guard words[page / 64] & bit != 0 else { return }
        words[page / 64] &= ~bit
        count -= 1
    }

    mutating func removeAll() {
        for word in words.indices { words[word] = 0 }
        count = 0
        firstWord = words.count
    }

    /// Takes the lowest page out.
    mutating func removeFirst() -> Int? {
        guard count > 0 else { return nil }
        while firstWord < words.count, words[firstWord] == 0 { firstWord += 1 }
        guard firstWord < words.count else { return nil }
        let page = firstWord * 64 + words[firstWord].trailingZeroBitCount
        remove(page)
        return page
    }
}
