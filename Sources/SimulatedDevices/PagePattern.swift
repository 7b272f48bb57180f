/// The bytes of one page, as a function of the page's key: word 0 is the key, every other word is
/// made from the key and its place.
///
/// Key 0 is a page of zeros. So the state of a device is one word a page, however many bytes it
/// stands for.
enum PagePattern {
    /// A bijection in which every bit of the input moves every bit of the output.
    static func mix(_ value: UInt64) -> UInt64 {
        var mixed = value &+ 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// The word at an index: cheap, because every byte that moves is made and checked by it.
    @inline(__always)
    static func word(_ index: UInt64, key: UInt64) -> UInt64 {
        if index == 0 || key == 0 { return key }
        let mixed = (key &+ index &* 0x9e37_79b9_7f4a_7c15) &* 0xd6e8_feb8_6659_fd93
        return mixed ^ (mixed >> 32)
    }

    /// Fills a buffer with the bytes of a page from an offset on.
    static func fill(_ buffer: UnsafeMutableRawBufferPointer, from offset: Int, key: UInt64) {
        var done = 0
        // Whole words from the first word boundary on, the ragged ends byte by byte.
        while done < buffer.count, (offset + done) % 8 != 0 {
            unsafe buffer[done] = byte(at: offset + done, key: key)
            done += 1
        }
        var index = UInt64((offset + done) / 8)
        while done + 8 <= buffer.count {
            unsafe buffer.storeBytes(
                of: word(index, key: key).littleEndian,
                toByteOffset: done,
                as: UInt64.self
            )
            index &+= 1
            done &+= 8
        }
        while done < buffer.count {
            unsafe buffer[done] = byte(at: offset + done, key: key)
            done += 1
        }
    }

    private static func byte(at offset: Int, key: UInt64) -> UInt8 {
        UInt8(truncatingIfNeeded: word(UInt64(offset / 8), key: key) >> UInt64(offset % 8 * 8))
    }
}

/// Takes the bytes of one page, however they are cut, and says what page they are.
struct PageReader {
    let byteCount: Int
    private(set) var offset = 0
    /// Word 0, once it is whole.
    private var key: UInt64 = 0
    /// The bytes of a word that is not whole yet.
    private var partialWord: UInt64 = 0
    /// All differences to what the key promises; 0 when there is none.
    private var differences: UInt64 = 0
    private var differencesByPlace: UInt64 = 0

    init(byteCount: Int) { self.byteCount = byteCount }

    var isComplete: Bool { offset == byteCount }
    var isIntact: Bool { differences == 0 }

    /// What the page holds: the key that was saved, or for a corrupt one a value that depends on
    /// every corrupt bit.
    var identity: UInt64 {
        guard !isIntact else { return key }
        return PagePattern.mix(key ^ PagePattern.mix(differences ^ differencesByPlace)) | 1
    }

    /// Takes bytes from the front of a buffer and says how many.
    mutating func take(_ buffer: UnsafeRawBufferPointer) -> Int {
        let count = min(buffer.count, byteCount - offset)
        var done = 0
        while done < count, offset % 8 != 0 || count - done < 8 {
            unsafe takeByte(buffer[done])
            done += 1
        }
        let wordByteCount = (count - done) / 8 * 8
        if wordByteCount > 0 {
            unsafe takeWords(
                UnsafeRawBufferPointer(rebasing: buffer[done..<done + wordByteCount])
            )
            done += wordByteCount
        }
        while done < count {
            unsafe takeByte(buffer[done])
            done += 1
        }
        return count
    }

    private mutating func takeByte(_ byte: UInt8) {
        partialWord |= UInt64(byte) << UInt64(offset % 8 * 8)
        offset += 1
        guard offset % 8 == 0 else { return }
        compare(partialWord, at: UInt64(offset / 8 - 1))
        partialWord = 0
    }

    private mutating func takeWords(_ buffer: UnsafeRawBufferPointer) {
        var index = UInt64(offset / 8)
        var place = 0
        if index == 0 {
            compare(
                unsafe UInt64(littleEndian: buffer.loadUnaligned(as: UInt64.self)),
                at: 0
            )
            index = 1
            place = 8
        }
        // Locals, so that the loop keeps them in registers.
        let key = key
        var (all, byPlace) = (differences, differencesByPlace)
        while place < buffer.count {
            let word = unsafe UInt64(
                littleEndian: buffer.loadUnaligned(fromByteOffset: place, as: UInt64.self)
            )
            let difference = word ^ PagePattern.word(index, key: key)
            all |= difference
            byPlace &+= difference &* (2 &* index &+ 1)
            index &+= 1
            place &+= 8
        }
        (differences, differencesByPlace) = (all, byPlace)
        offset += buffer.count
    }

    private mutating func compare(_ word: UInt64, at index: UInt64) {
        if index == 0 { key = word }
        let difference = word ^ PagePattern.word(index, key: key)
        differences |= difference
        differencesByPlace &+= difference &* (2 &* index &+ 1)
    }
}
