import MigrationCore
import MigrationPorts
import SystemIO

/// Devices of a ferry-simd, which give the content of their seeds once: here every check gets what
/// they held, loaded again.
final class RefilledBackend: DeviceBackend {
    private let backend: any DeviceBackend
    private let images: [(device: DeviceID, bytes: [UInt8])]

    /// Saves what the devices hold, if nobody has opened them yet, and closes them.
    init(_ backend: any DeviceBackend) throws(Problem) {
        self.backend = backend
        var images: [(device: DeviceID, bytes: [UInt8])] = []
        for session in backend.initialSessions() {
            defer { session.close() }
            guard session.support.flags != nil else { continue }
            do throws(Errno) {
                images.append((session.device, try Self.save(session)))
            } catch {
                throw Problem(.deviceFailed, "\(session.device) cannot be saved: \(error.name)")
            }
        }
        self.images = images
    }

    /// Opens the devices and loads what they held; one that cannot be filled comes without.
    func initialSessions() -> [any DeviceSession] {
        images.compactMap { image in
            guard let session = try? backend.open(image.device, joining: nil) else { return nil }
            do throws(Errno) {
                try Self.load(image.bytes, session)
                return session
            } catch {
                session.close()
                return nil
            }
        }
    }

    func devices() -> [DeviceRecord] { backend.devices() }
    func device(_ id: DeviceID) -> DeviceRecord? { backend.device(id) }

    func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        try backend.open(id, joining: companion)
    }

    func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        try backend.adopt(id, descriptors)
    }

    func resume(_ id: DeviceID, _ files: [KeptFile]) throws(Problem) -> any DeviceSession {
        try backend.resume(id, files)
    }

    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport { try backend.probe(id) }
    func holders(of id: DeviceID) -> [Problem.Holder] { backend.holders(of: id) }

    private static func save(_ session: any DeviceSession) throws(Errno) -> [UInt8] {
        guard let stream = try session.set(.stopCopy) else { throw .protocolError }
        let buffer = IOBuffer(byteCount: 128 << 10)
        var bytes: [UInt8] = []
        while true {
            let count = try unsafe stream.read(into: buffer.bytes)
            guard count > 0 else { return bytes }
            unsafe bytes.append(contentsOf: buffer.prefix(count))
        }
    }

    private static func load(_ bytes: [UInt8], _ session: any DeviceSession) throws(Errno) {
        guard let stream = try session.set(.resuming) else { throw .protocolError }
        try unsafe bytes.withUnsafeBufferPointer { bytes throws(Errno) in
            var rest = UnsafeRawBufferPointer(bytes)
            while unsafe !rest.isEmpty {
                let count = try unsafe stream.write(rest)
                guard count > 0 else { throw .io }
                unsafe rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            }
        }
        _ = try session.set(.running)
    }
}
