package import Dispatch
internal import Glibc
package import MigrationCore
internal import Synchronization

/// What the kernel tells of names that come, go or change in directories (inotify).
package final class DirectoryEvents: Sendable {
    /// A name in a directory.
    package struct Entry: Hashable, Sendable {
        package let directory: String
        package let name: String

        package init(directory: String, name: String) {
            self.directory = directory
            self.name = name
        }
    }

    private static let mask = UInt32(
        IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_DELETE_SELF
            | IN_MOVE_SELF | IN_ONLYDIR
    )
    private static let headByteCount = 16
    /// Room for some events with names of the longest kind.
    private static let bufferByteCount = 16_384

    private let file: SharedDescriptor
    /// Guards which names are watched for, by the kernel's number of the watch.
    ///
    /// A leaf.
    private let watches = Mutex<[Int32: Set<String>]>([:])

    /// Watches nothing yet.
    package init() throws(Errno) {
        let raw = try retrying { Int(inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))) }
        file = SharedDescriptor(FileDescriptor(owning: Int32(raw)))
    }

    /// Watches for these names from now on, and for no others.
    ///
    /// Links to directories are followed, as by who opens something below them. A directory that is
    /// not there, or may not be read, is left out; those above are watched before those below, so
    /// that one which comes meanwhile is heard of. Looking up a path may block. Calls do not
    /// overlap.
    package func watch(_ entries: [Entry]) {
        // By bytes, as the kernel compares: texts are equal that are not written alike.
        let names = Dictionary(grouping: entries) { Array($0.directory.utf8) }
        var armed: [Int32: Set<String>] = [:]
        // A directory sorts before what is below it.
        for key in names.keys.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
            let entries = names[key, default: []]
            guard let directory = entries.first?.directory else { continue }
            let number = unsafe inotify_add_watch(file.descriptor.raw, directory, Self.mask)
            guard number >= 0 else { continue }
            // Two paths may lead to one directory.
            armed[number, default: []].formUnion(entries.map(\.name))
        }
        let kept = armed
        let before = watches.withLock { watches in
            defer { watches = kept }
            return watches
        }
        for number in before.keys where kept[number] == nil {
            _ = inotify_rm_watch(file.descriptor.raw, number)
        }
    }

    /// Reads what has come, `limit` buffers of 16 KiB at most, and gives whether it is of what is
    /// watched for.
    ///
    /// Never blocks.
    package func receive(limit: Int) -> Bool {
        let buffer = IOBuffer(byteCount: Self.bufferByteCount)
        var isOfInterest = false
        for _ in 0..<limit {
            guard let count = try? unsafe file.descriptor.read(into: buffer.bytes), count > 0 else {
                break
            }
            isOfInterest =
                watches.withLock { unsafe Self.isOfInterest(buffer.prefix(count), $0) }
                || isOfInterest
        }
        return isOfInterest
    }

    /// Calls a handler whenever there is something to receive.
    package func source(
        on queue: DispatchQueue,
        _ handler: @escaping @Sendable () -> Void
    ) -> ReadSource {
        ReadSource(file, on: queue, handler)
    }

    private static func isOfInterest(
        _ bytes: UnsafeRawBufferPointer,
        _ watches: [Int32: Set<String>]
    ) -> Bool {
        var start = 0
        while start + headByteCount <= bytes.count {
            // struct inotify_event: wd, mask, cookie, len, name.
            let number = unsafe bytes.loadUnaligned(fromByteOffset: start, as: Int32.self)
            let mask = unsafe bytes.loadUnaligned(fromByteOffset: start + 4, as: UInt32.self)
            let length = unsafe bytes.loadUnaligned(fromByteOffset: start + 12, as: UInt32.self)
            let end = min(start + headByteCount + Int(length), bytes.count)
            let name = unsafe bytes[(start + headByteCount)..<end].prefix { $0 != 0 }
            start = end
            if mask & UInt32(IN_Q_OVERFLOW) != 0 { return true }
            guard let names = watches[number] else { continue }
            // Without a name it is the directory itself that went, moved, was unmounted or has
            // other attributes.
            if unsafe name.isEmpty || names.contains(String(decoding: name, as: UTF8.self)) {
                return true
            }
        }
        return false
    }
}
