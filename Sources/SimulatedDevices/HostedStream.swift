internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// A data file of ferry-simd: the bytes of a hosted device's state.
final class HostedStream: MigrationStream {
    // Guards the reference alone, never held over a call: a leaf of the lock order.
    private let file: Mutex<SharedDescriptor?>
    private let memory = PacketMemory()
    /// Guards the memory, and that one call is made at a time.
    ///
    /// Held over a whole call, which ``close()`` ends. Taken before `file`.
    private let turn = Mutex<Void>(())

    init(_ file: SharedDescriptor) { self.file = Mutex(file) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        let wanted = min(buffer.count, HostLimit.transferByteCount)
        return try unsafe call(.read, UInt64(wanted), Self.none) { answer, rest throws(Errno) in
            guard answer.first == UInt64(rest.count), rest.count <= wanted else {
                throw .protocolError
            }
            unsafe buffer.copyMemory(from: rest)
            return rest.count
        }
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        let count = min(buffer.count, HostLimit.transferByteCount)
        let bytes = unsafe UnsafeRawBufferPointer(rebasing: buffer[..<count])
        return try unsafe call(.write, 0, bytes) { answer, rest throws(Errno) in
            guard unsafe rest.isEmpty, answer.first <= UInt64(count) else { throw .protocolError }
            return Int(answer.first)
        }
    }

    func preCopyInfo() throws(Errno) -> PreCopyInfo {
        try unsafe call(.preCopyInfo, 0, Self.none) { answer, _ throws(Errno) in
            PreCopyInfo(initialByteCount: answer.first, dirtyByteCount: answer.second)
        }
    }

    func close() {
        let closed = file.withLock { file in
            defer { file = nil }
            return file
        }
        closed?.descriptor.shutDown()
    }

    private static var none: UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }

    private func call<Answer: Sendable>(
        _ call: HostCall,
        _ argument: UInt64,
        _ bytes: UnsafeRawBufferPointer,
        _ body: (AnswerPacket, UnsafeRawBufferPointer) throws(Errno) -> Answer
    ) throws(Errno) -> Answer {
        try turn.withLock { _ throws(Errno) in
            guard let file = file.withLock({ $0 }) else { throw .noDevice }
            let head = CallPacket.bytes(call, argument)
            unsafe memory.call.bytes.copyBytes(from: head)
            unsafe UnsafeMutableRawBufferPointer(rebasing: memory.call.bytes[head.count...])
                .copyMemory(from: bytes)
            let received: Int
            do throws(Errno) {
                try unsafe file.descriptor.sendPacket(memory.call.prefix(head.count + bytes.count))
                received = try unsafe file.descriptor.receivePacket(into: memory.answer.bytes)
                    .byteCount
            } catch {
                throw error == .tooManyOpenFiles ? error : .noDevice
            }
            // The host ended, or the device was closed, or the stream was.
            guard received > 0 else { throw .noDevice }
            let packet = unsafe memory.answer.prefix(received)
            let answer = try unsafe AnswerPacket(packet).success()
            return try unsafe body(
                answer,
                UnsafeRawBufferPointer(rebasing: packet[AnswerPacket.headByteCount...])
            )
        }
    }
}
