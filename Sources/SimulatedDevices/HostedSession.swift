internal import Dispatch
package import MigrationCore
package import MigrationPorts
internal import Synchronization
internal import SystemIO

/// A device of ferry-simd, open.
///
/// The file is the device, as with the kernel: the host closes the device when the last duplicate of
/// it is closed, in whatever process. Every call brings a socket of its own for the answer, so calls
/// of several threads, or processes, never get each other's, and what a dead process asked for is
/// answered to nobody.
package final class HostedSession: DeviceSession {
    package let device: DeviceID
    package let support: MigrationSupport
    private let queue: DispatchQueue
    /// Guards the file and the eventfds, never held over a call.
    ///
    /// A leaf.
    private let files: Mutex<Files>

    private struct Files: Sendable {
        var device: SharedDescriptor?
        var events: [EventDescriptor] = []
    }

    static let fileName = "device"

    init(
        _ device: DeviceID,
        _ support: MigrationSupport,
        _ file: SharedDescriptor,
        signalsOn queue: DispatchQueue
    ) {
        self.device = device
        self.support = support
        self.queue = queue
        self.files = Mutex(Files(device: file))
    }

    package func state() throws(Errno) -> ReportedState {
        let answer = try call(.get)
        guard let number = UInt32(exactly: answer.head.first) else { throw .protocolError }
        return ReportedState(kernelNumber: number)
    }

    package func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)? {
        var answer = try call(.set, UInt64(state.rawValue))
        let file = answer.packet.takeSharedDescriptor()
        guard answer.head.first == (file == nil ? 0 : 1) else { throw .protocolError }
        return file.map(HostedStream.init)
    }

    package func stopCopyByteCount() throws(Errno) -> UInt64 { try call(.dataSize).head.first }

    package func detach() throws(Errno) { _ = try call(.detach) }

    package func reset() throws(Errno) { _ = try call(.reset) }

    /// Hands the host two eventfds; a closed or dead device signals nothing.
    package func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        do throws(Errno) {
            let events = [
                try EventDescriptor(on: queue) { handler(.unplugRequested) },
                try EventDescriptor(on: queue) { handler(.errorSignalled) },
            ]
            _ = try call(.signals, 0, events.map(\.raw))
            let old = files.withLock { files in
                defer { if files.device != nil { files.events = events } }
                return files.events
            }
            for event in old { event.cancel() }
        } catch {
            return
        }
    }

    /// A hosted device has no iommufd that a program could use beside it.
    package func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? { nil }

    package func keptFiles() throws(Errno) -> [KeptFile] {
        [KeptFile(name: Self.fileName, file: try file())]
    }

    /// Closes the file; calls under way are answered with ENODEV if that was the last one.
    package func close() {
        let closed = files.withLock { files in
            defer { files = Files() }
            return files
        }
        for event in closed.events { event.cancel() }
    }

    private func file() throws(Errno) -> SharedDescriptor {
        guard let file = files.withLock({ $0.device }) else { throw .noDevice }
        return file
    }

    /// The head of an answer, and the packet for its descriptors.
    private struct Answer: ~Copyable {
        let head: AnswerPacket
        var packet: ReceivedPacket
    }

    private func call(
        _ call: HostCall,
        _ argument: UInt64 = 0,
        _ descriptors: [Int32] = []
    ) throws(Errno) -> Answer {
        let answers = try send(CallPacket.bytes(call, argument), descriptors)
        // The file is not held over the wait, so that closing it is what ends the wait.
        let buffer = IOBuffer(byteCount: AnswerPacket.headByteCount)
        let packet: ReceivedPacket
        do throws(Errno) {
            packet = try unsafe answers.descriptor.receivePacket(into: buffer.bytes)
        } catch {
            throw error == .messageTooLong ? .protocolError : .noDevice
        }
        guard packet.byteCount > 0 else { throw .noDevice }
        let head = try unsafe AnswerPacket(buffer.prefix(packet.byteCount)).success()
        return Answer(head: head, packet: packet)
    }

    /// Sends a call, and returns where its answer comes.
    private func send(
        _ bytes: [UInt8],
        _ descriptors: [Int32]
    ) throws(Errno) -> SharedDescriptor {
        let file = try file()
        let pair = try PacketSocket.pair()
        do throws(Errno) {
            try file.descriptor.sendPacket(
                bytes,
                descriptors: [pair.far.descriptor.raw] + descriptors
            )
        } catch {
            throw .noDevice
        }
        return pair.near
    }
}
