/// Memory for reads and writes, aligned to a page, freed with its owner.
///
/// Not zeroed between uses.
@safe package final class IOBuffer {
    package let bytes: UnsafeMutableRawBufferPointer

    package init(byteCount: Int) {
        unsafe bytes = .allocate(byteCount: byteCount, alignment: 4096)
        unsafe bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { unsafe bytes.deallocate() }

    /// The first bytes, as a read left them.
    package func prefix(_ byteCount: Int) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(rebasing: bytes[..<byteCount])
    }
}
