internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// The host's end of a data file: moves the bytes of one stream, one call at a time.
///
/// Closing the data file changes no state of the device.
final class ServedStream: Sendable {
    private let stream: any MigrationStream
    private let file: SharedDescriptor
    /// Closes the device when nobody has its file any more, and says whether it is closed.
    private let isAbandoned: @Sendable () -> Bool
    private let reading: PacketReading

    init(
        _ stream: any MigrationStream,
        _ file: SharedDescriptor,
        label: String,
        isAbandoned: @escaping @Sendable () -> Bool
    ) {
        self.stream = stream
        self.file = file
        self.isAbandoned = isAbandoned
        reading = PacketReading(file, on: DispatchQueue(label: label))
    }

    func begin() {
        // Kept by the source, so used by one call at a time.
        let packet = PacketMemory()
        reading.begin { [weak self] in self?.answerAll(packet) }
    }

    func close() {
        stream.close()
        reading.end()
    }

    private func answerAll(_ packet: PacketMemory) {
        while true {
            let answer: UnsafeRawBufferPointer
            do throws(Errno) {
                let received = try unsafe file.descriptor.receivePacket(into: packet.call.bytes)
                guard received.byteCount > 0, received.descriptorCount == 0,
                    let call = unsafe CallPacket(packet.call.prefix(received.byteCount))
                else { return close() }
                // The last close of the device makes it dead, noticed or not.
                guard !isAbandoned() else { return close() }
                unsafe answer = self.answer(call, received.byteCount, packet)
            } catch .again {
                return
            } catch {
                // A packet too long for a call, or a connection that broke.
                return close()
            }
            do throws(Errno) {
                try unsafe file.descriptor.sendPacket(answer)
            } catch {
                // Whoever calls again before it has read its answer is not waited for.
                return close()
            }
        }
    }

    /// Makes a call; what is to be sent lies in the packet's memory.
    private func answer(
        _ packet: CallPacket,
        _ byteCount: Int,
        _ memory: PacketMemory
    ) -> UnsafeRawBufferPointer {
        var restByteCount = 0
        var answer: AnswerPacket
        do throws(Errno) {
            switch packet.call {
            case .read:
                restByteCount = try read(packet.argument, byteCount, memory)
                answer = AnswerPacket(first: UInt64(restByteCount))
            case .write:
                let bytes = unsafe UnsafeRawBufferPointer(
                    rebasing: memory.call.prefix(byteCount)[CallPacket.headByteCount...]
                )
                answer = AnswerPacket(first: UInt64(try unsafe stream.write(bytes)))
            case .preCopyInfo:
                let info = try stream.preCopyInfo()
                answer = AnswerPacket(first: info.initialByteCount, second: info.dirtyByteCount)
            default: throw .notTypewriter
            }
        } catch {
            answer = AnswerPacket(error)
        }
        unsafe memory.answer.bytes.copyBytes(from: answer.bytes)
        return unsafe memory.answer.prefix(AnswerPacket.headByteCount + restByteCount)
    }

    private func read(
        _ wanted: UInt64,
        _ byteCount: Int,
        _ memory: PacketMemory
    ) throws(Errno) -> Int {
        guard byteCount == CallPacket.headByteCount, wanted <= UInt64(HostLimit.transferByteCount)
        else { throw .invalid }
        let room = unsafe UnsafeMutableRawBufferPointer(
            rebasing: memory.answer.bytes[AnswerPacket.headByteCount...].prefix(Int(wanted))
        )
        return try unsafe stream.read(into: room)
    }
}
