internal import Dispatch
package import MigrationCore
package import MigrationPorts
internal import SystemIO

/// Simulated devices in a process of their own, `ferry-simd`: they and what they hold outlive this
/// one for as long as somebody has their files.
///
/// When that process dies its devices are gone: every call throws ENODEV and the list is empty.
package final class HostedBackend: DeviceBackend {
    private let connection: HostConnection
    private let signals = DispatchQueue(label: "ferry.hosted.signals")

    /// The devices of the host that listens at a path.
    ///
    /// Throws `device-gone` when there is none.
    package init(path: String) throws(Problem) {
        connection = HostConnection(path: path)
        do throws(Errno) {
            try connection.reach()
            _ = try connection.devices()
        } catch {
            throw Problem(
                .deviceGone,
                "no ferry-simd answers at \(path): \(error.name)",
                Self.facts("connect \(path)", error)
            )
        }
    }

    package func devices() -> [DeviceRecord] {
        ((try? connection.devices()) ?? []).sorted { $0.id < $1.id }
    }

    package func device(_ id: DeviceID) -> DeviceRecord? { try? connection.device(id) }

    /// Opens a device, which empties it.
    ///
    /// `companion` changes nothing: a simulated device has no address space.
    package func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        do throws(Errno) {
            return session(id, try connection.open(id, .open))
        } catch {
            throw Self.problem(id, "open", error)
        }
    }

    package func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        throw Problem(
            .invalidField,
            "\(id) is simulated and has no descriptors to hand in",
            .init(device: id)
        )
    }

    /// Makes a session of a file that the host itself says is the one it has open for this device.
    package func resume(
        _ id: DeviceID,
        _ files: [KeptFile]
    ) throws(Problem) -> any DeviceSession {
        guard files.count == 1, let file = files.first, file.name == HostedSession.fileName else {
            throw Problem(
                .invalidField,
                "a device of ferry-simd is kept as one file called \(HostedSession.fileName)",
                .init(device: id)
            )
        }
        do throws(Errno) {
            let support = try connection.verify(id, file.file)
            return HostedSession(id, support, file.file, signalsOn: signals)
        } catch .badDescriptor {
            throw Problem(
                .invalidField,
                "the file that was kept for \(id) is not the one ferry-simd has open for it",
                Self.facts("verify", .badDescriptor, id)
            )
        } catch {
            throw Self.problem(id, "verify", error)
        }
    }

    package func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport {
        do throws(Errno) {
            return try connection.probe(id)
        } catch {
            throw Self.problem(id, "open", error)
        }
    }

    package func holders(of id: DeviceID) -> [Problem.Holder] { [] }

    /// The devices nobody ever opened, with the content of their seed.
    ///
    /// Each gives that once: to the first daemon that asks, and never again after it was closed.
    package func initialSessions() -> [any DeviceSession] {
        devices().compactMap { record in
            guard let opened = try? connection.open(record.id, .openUntouched) else { return nil }
            return session(record.id, opened)
        }
    }

    private func session(_ id: DeviceID, _ opened: HostConnection.Opened) -> HostedSession {
        HostedSession(id, opened.support, opened.file, signalsOn: signals)
    }

    private static func problem(_ id: DeviceID, _ operation: String, _ errno: Errno) -> Problem {
        let facts = facts(operation, errno, id)
        switch errno {
        case .busy: return Problem(.deviceBusy, "\(id) is open already", facts)
        case .noDevice: return Problem(.deviceGone, "there is no device \(id)", facts)
        default: return Problem(.deviceFailed, "\(id) could not be opened", facts)
        }
    }

    private static func facts(
        _ operation: String,
        _ errno: Errno,
        _ id: DeviceID? = nil
    ) -> Problem.Facts {
        var facts = Problem.Facts()
        facts.device = id
        facts.operation = operation
        facts.errno = errno
        return facts
    }
}
