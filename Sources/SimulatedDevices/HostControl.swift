internal import Dispatch
internal import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// One control connection of the host: one call at a time.
///
/// What is no call is answered with EINVAL and ends the connection.
final class HostControl: Sendable {
    private let file: SharedDescriptor
    /// The host, which has its connections; nil when it is gone.
    private let host: @Sendable () -> SimulatedHost?
    private let onClose: @Sendable (HostControl) -> Void
    private let reading: PacketReading

    init(
        _ file: SharedDescriptor,
        of host: @escaping @Sendable () -> SimulatedHost?,
        onClose: @escaping @Sendable (HostControl) -> Void
    ) {
        self.file = file
        self.host = host
        self.onClose = onClose
        reading = PacketReading(file, on: DispatchQueue(label: "ferry.host.control"))
    }

    func begin() { reading.begin { [weak self] in self?.answerAll() } }

    func close() {
        reading.end()
        onClose(self)
    }

    /// What is sent back.
    private struct Answer {
        var head: AnswerPacket
        var rest: [UInt8] = []
        /// The device whose file goes with it.
        var opened: ServedDevice?
    }

    private func answerAll() {
        let buffer = IOBuffer(byteCount: CallPacket.headByteCount + SimulationSpec.textLimit)
        while true {
            do throws(Errno) {
                var packet = try unsafe file.descriptor.receivePacket(into: buffer.bytes)
                guard packet.byteCount > 0 else { return close() }
                // What it is, and no reference to it: the file of a device is the client's alone.
                let file = try? packet.takeSharedDescriptor()?.descriptor.identity()
                let bytes = unsafe Array(buffer.prefix(packet.byteCount))
                guard packet.descriptorCount == 0,
                    let call = unsafe CallPacket(buffer.prefix(packet.byteCount))
                else { throw .invalid }
                try answer(call, bytes[CallPacket.headByteCount...], file)
            } catch .again {
                return
            } catch {
                try? send(Answer(head: AnswerPacket(error)))
                return close()
            }
        }
    }

    private func answer(
        _ packet: CallPacket,
        _ rest: ArraySlice<UInt8>,
        _ file: FileIdentity?
    ) throws(Errno) {
        guard let host = host() else { throw .noDevice }
        guard let text = String(validating: rest, as: UTF8.self) else { throw .invalid }
        let answer: Answer
        do throws(Errno) {
            answer = try make(packet, text, file, host)
        } catch {
            return try send(Answer(head: AnswerPacket(error)))
        }
        try send(answer)
    }

    private func make(
        _ packet: CallPacket,
        _ text: String,
        _ file: FileIdentity?,
        _ host: SimulatedHost
    ) throws(Errno) -> Answer {
        switch packet.call {
        case .list:
            host.closeAbandoned()
            return list(packet.argument, host)
        case .inject:
            try inject(text, host)
            return Answer(head: AnswerPacket())
        case .describe, .open, .openUntouched, .probe, .verify:
            guard let id = DeviceID(text) else { throw .invalid }
            return try make(packet.call, id, file, host)
        default: throw .notTypewriter
        }
    }

    private func make(
        _ call: HostCall,
        _ id: DeviceID,
        _ file: FileIdentity?,
        _ host: SimulatedHost
    ) throws(Errno) -> Answer {
        let served = host.openDevice(id)
        switch call {
        case .describe:
            var writer = RecordWriter()
            let record = host.backend.device(id)
            if let record { writer.append(record) }
            return Answer(head: AnswerPacket(first: record == nil ? 0 : 1), rest: writer.bytes)
        case .probe:
            do throws(Problem) {
                return Answer(head: AnswerPacket(try host.backend.probe(id)))
            } catch {
                throw error.facts.errno ?? .noDevice
            }
        case .verify:
            guard let file, let served, served.isFarEnd(file) else { throw .badDescriptor }
            return Answer(head: AnswerPacket(served.session.support))
        default:
            let opened = try host.open(id, untouched: call == .openUntouched)
            return Answer(head: AnswerPacket(opened.session.support), opened: opened)
        }
    }

    /// As many records as a packet takes, from a place in the list on.
    private func list(_ start: UInt64, _ host: SimulatedHost) -> Answer {
        let ids = host.backend.deviceIDs
        var writer = RecordWriter()
        var count = 0
        for id in ids.dropFirst(Int(clamping: start)) {
            guard writer.bytes.count < HostLimit.controlByteCount - RecordWriter.recordLimit,
                let record = host.backend.device(id)
            else { break }
            writer.append(record)
            count += 1
        }
        return Answer(
            head: AnswerPacket(first: UInt64(count), second: UInt64(ids.count)),
            rest: writer.bytes
        )
    }

    private func inject(_ text: String, _ host: SimulatedHost) throws(Errno) {
        let fault: Fault
        do throws(Problem) { fault = try Fault.parse(text) } catch { throw .invalid }
        let ids = host.backend.deviceIDs.filter { fault.device == nil || fault.device == $0 }
        guard !ids.isEmpty else { throw .noEntry }
        for id in ids where !host.backend.inject(fault, into: id) { throw .noSpace }
    }

    /// A caller that does not read its answers has only itself to wait for.
    private func send(_ answer: Answer) throws(Errno) {
        let bytes = answer.head.bytes + answer.rest
        guard let opened = answer.opened else { return try file.descriptor.sendPacket(bytes) }
        try opened.handOver { device throws(Errno) in
            try file.descriptor.sendPacket(bytes, descriptors: [device.descriptor.raw])
        }
    }
}
