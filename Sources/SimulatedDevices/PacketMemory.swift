internal import SystemIO

/// The memory of one call on a data file and of its answer.
// Whoever has it uses it for one call at a time: the host on the stream's own queue, the client
// under the lock of the stream's turn.
final class PacketMemory: @unchecked Sendable {
    let call = IOBuffer(byteCount: CallPacket.headByteCount + HostLimit.transferByteCount)
    let answer = IOBuffer(byteCount: AnswerPacket.headByteCount + HostLimit.transferByteCount)
}
