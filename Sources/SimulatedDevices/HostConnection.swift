package import MigrationCore
internal import SystemIO

/// What ferry-simd can be asked without a device, each time over a connection of its own: so there
/// is nothing to find broken when the host was started anew.
package struct HostConnection: Sendable {
    private let path: String

    package init(path: String) { self.path = path }

    /// An open device.
    struct Opened: Sendable {
        let support: MigrationSupport
        let file: SharedDescriptor
    }

    /// Makes a device of the host, or each of them, fail later.
    ///
    /// Throws `invalid-field` for what is no fault, `not-found` for one of no device there,
    /// `device-gone` when no host answers.
    package func inject(_ text: String) throws(Problem) {
        let fault = try Fault.parse(text)
        do throws(Errno) {
            _ = try call(.inject, 0, text)
        } catch {
            switch error {
            case .noEntry:
                let name = fault.device.map(\.text) ?? "to fail"
                throw Problem(.notFound, "ferry-simd has no device \(name)")
            case .noSpace:
                throw Problem(.overloaded, "a device has too many faults already")
            default:
                throw Problem(.deviceGone, "no ferry-simd answers at \(path): \(error.name)")
            }
        }
    }

    /// Every device.
    func devices() throws(Errno) -> [DeviceRecord] {
        let connection = try connect()
        var records: [DeviceRecord] = []
        while true {
            let answer = try exchange(connection, .list, UInt64(records.count), [], [])
            let page = try answer.records()
            records += page
            guard answer.head.second > UInt64(records.count) else { return records }
            guard !page.isEmpty, records.count <= HostLimit.deviceCount else {
                throw .protocolError
            }
        }
    }

    func device(_ id: DeviceID) throws(Errno) -> DeviceRecord? {
        let records = try call(.describe, 0, id.text).records()
        guard records.allSatisfy({ $0.id == id }) else { throw .protocolError }
        return records.first
    }

    /// Opens a device; waits as long as the open takes.
    func open(_ id: DeviceID, _ call: HostCall) throws(Errno) -> Opened {
        let connection = try connect()
        var answer = try exchange(connection, call, 0, Array(id.text.utf8), [], isPatient: true)
        guard let support = MigrationSupport(answer.head),
            let file = answer.packet.takeSharedDescriptor()
        else { throw .protocolError }
        return Opened(support: support, file: file)
    }

    func probe(_ id: DeviceID) throws(Errno) -> MigrationSupport {
        guard let support = MigrationSupport(try call(.probe, 0, id.text).head) else {
            throw .protocolError
        }
        return support
    }

    /// Whether a file is the one the host has open for a device: EBADF when it is not.
    func verify(_ id: DeviceID, _ file: SharedDescriptor) throws(Errno) -> MigrationSupport {
        let answer = try call(.verify, 0, id.text, [file.descriptor.raw])
        guard let support = MigrationSupport(answer.head) else { throw .protocolError }
        return support
    }

    private struct Answer: ~Copyable {
        let head: AnswerPacket
        let rest: ArraySlice<UInt8>
        var packet: ReceivedPacket

        /// As many records as the answer says, and nothing else.
        borrowing func records() throws(Errno) -> [DeviceRecord] {
            var reader = RecordReader(rest)
            var records: [DeviceRecord] = []
            while !reader.isAtEnd { records.append(try reader.record()) }
            guard head.first == UInt64(records.count) else { throw .protocolError }
            return records
        }
    }

    private func call(
        _ call: HostCall,
        _ argument: UInt64,
        _ text: String,
        _ descriptors: [Int32] = []
    ) throws(Errno) -> Answer {
        try exchange(try connect(), call, argument, Array(text.utf8), descriptors)
    }

    /// Connects, and says why not.
    @discardableResult
    func reach() throws(Errno) -> SharedDescriptor {
        SharedDescriptor(
            try PacketSocket.connect(
                to: path,
                timeoutMilliseconds: HostLimit.patienceMilliseconds
            )
        )
    }

    /// Without a host there is no device.
    private func connect() throws(Errno) -> SharedDescriptor {
        do throws(Errno) {
            return try reach()
        } catch {
            throw .noDevice
        }
    }

    private func exchange(
        _ connection: SharedDescriptor,
        _ call: HostCall,
        _ argument: UInt64,
        _ rest: [UInt8],
        _ descriptors: [Int32],
        isPatient: Bool = false
    ) throws(Errno) -> Answer {
        if isPatient { try connection.descriptor.limitWaits(milliseconds: 0) }
        let buffer = IOBuffer(byteCount: AnswerPacket.headByteCount + HostLimit.controlByteCount)
        let packet: ReceivedPacket
        do throws(Errno) {
            try connection.descriptor.sendPacket(
                CallPacket.bytes(call, argument, rest),
                descriptors: descriptors
            )
            packet = try unsafe connection.descriptor.receivePacket(into: buffer.bytes)
        } catch {
            // The host may have closed the connection, or not have answered in time.
            throw error == .again ? .timedOut : .noDevice
        }
        guard packet.byteCount > 0 else { throw .noDevice }
        let head = try unsafe AnswerPacket(buffer.prefix(packet.byteCount)).success()
        let bytes = unsafe Array(buffer.prefix(packet.byteCount))
        return Answer(head: head, rest: bytes[AnswerPacket.headByteCount...], packet: packet)
    }
}
