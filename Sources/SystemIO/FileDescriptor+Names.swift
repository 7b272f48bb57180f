internal import CSystem
internal import Glibc
internal import MigrationCore

extension FileDescriptor {
    /// What a buffer has room for: some hundred entries, as in the C library.
    private static let entriesByteCount = 32_768
    /// Where the kernel has the length and the name of an entry (`struct linux_dirent64`).
    private static let lengthOffset = 16
    private static let nameOffset = 19

    /// The names that are left to read of an open directory, without `.` and `..`, sorted; of more
    /// than `limit` those that the kernel gives first, which are the lowest numbers in `/proc`.
    ///
    /// By the kernel's own call: `opendir` asks twice more for what is known of the descriptor, and a
    /// look at sysfs reads a directory for each device.
    borrowing func names(limit: Int) throws(Errno) -> [String] {
        let raw = raw
        return try unsafe withUnsafeTemporaryAllocation(
            byteCount: Self.entriesByteCount,
            alignment: 8
        ) { buffer throws(Errno) in
            var names: [String] = []
            while names.count < limit {
                let count = unsafe ferry_read_entries(raw, buffer.baseAddress, buffer.count)
                guard count >= 0 else { throw Errno(number: Int32(-count)) }
                if count == 0 { break }
                unsafe Self.add(UnsafeRawBufferPointer(rebasing: buffer[..<count]), to: &names)
            }
            return names.prefix(limit).sorted()
        }
    }

    private static func add(_ entries: UnsafeRawBufferPointer, to names: inout [String]) {
        var offset = 0
        while offset < entries.count, let start = entries.baseAddress {
            let entry = unsafe start.advanced(by: offset)
            let name = unsafe entry.advanced(by: nameOffset).assumingMemoryBound(to: CChar.self)
            if unsafe strcmp(name, ".") != 0 && strcmp(name, "..") != 0 {
                unsafe names.append(String(cString: name))
            }
            offset += unsafe Int(entry.load(fromByteOffset: lengthOffset, as: UInt16.self))
        }
    }
}
