internal import CSystem
package import Dispatch
package import MigrationCore

/// What the kernel tells udev of devices (`NETLINK_KOBJECT_UEVENT`).
///
/// It hears the events of the host's own network namespace only: in a container there are none.
package final class UeventSocket: Sendable {
    /// What one message says.
    package struct Uevent: Hashable, Sendable {
        /// `add`, `remove`, `bind`, `unbind`, `change`, `move`.
        package let action: String
        /// The directory of the device below `/sys`.
        package let path: String
        package let subsystem: String?

        /// Nil for a text that is no message of the kernel's.
        package init?(_ message: [UInt8]) {
            let fields = message.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
            guard let head = fields.first, let at = head.firstIndex(of: "@") else { return nil }
            action = String(head[..<at])
            path = String(head[head.index(after: at)...])
            let name = "SUBSYSTEM="
            subsystem = fields.first { $0.hasPrefix(name) }.map { String($0.dropFirst(name.count)) }
        }
    }

    /// What a look at the socket found.
    package enum Message: Hashable, Sendable {
        case event(Uevent)
        /// The socket could not hold all there was: anything may have changed.
        case lost
        /// Nothing of the kernel's.
        case meaningless
    }

    /// The longest message: the kernel's own limit is half of it.
    private static let byteLimit = 4096
    private static let bufferByteCount: Int32 = 4 << 20
    private let file: SharedDescriptor

    /// Hears everything from now on.
    package init() throws(Errno) {
        let raw = try checked(ferry_listen_uevents(Self.bufferByteCount))
        file = SharedDescriptor(FileDescriptor(owning: raw))
    }

    /// The next message; nil when there is none now.
    ///
    /// Never blocks.
    package func receive() throws(Errno) -> Message? {
        let buffer = IOBuffer(byteCount: Self.byteLimit)
        let count = unsafe ferry_receive_uevent(
            file.descriptor.raw,
            buffer.bytes.baseAddress,
            buffer.bytes.count
        )
        guard count >= 0 else {
            switch Errno(number: Int32(-count)) {
            case .again: return nil
            case .noBufferSpace: return .lost
            case let error: throw error
            }
        }
        let message = unsafe Array(buffer.prefix(count))
        return Uevent(message).map(Message.event) ?? .meaningless
    }

    /// Calls a handler whenever there is something to receive.
    package func source(
        on queue: DispatchQueue,
        _ handler: @escaping @Sendable () -> Void
    ) -> ReadSource {
        ReadSource(file, on: queue, handler)
    }
}
