internal import Dispatch
package import MigrationCore
internal import MigrationPorts
internal import Synchronization
internal import SystemIO

/// Simulated devices behind a socket: what `ferry-simd` is.
///
///     connect ─▶ open ─▶ a device file ─▶ SET ─▶ a data file
///
/// A device is open for as long as anybody has its file, and lost after that: the host closes it as
/// the kernel does.
package final class SimulatedHost: Sendable {
    package let backend: SimulatedBackend
    private let path: String
    private let listener: SharedDescriptor
    private let queue = DispatchQueue(label: "ferry.host")
    /// Guards the connections and the open devices; never held over a call.
    ///
    /// A leaf.
    private let state = Mutex(State())

    private struct State {
        var source: ReadSource?
        var connections: [ObjectIdentifier: HostControl] = [:]
        var devices: [DeviceID: ServedDevice] = [:]
        var isStopped = false
    }

    /// Serves the devices of a backend at a path; nobody else is to use the backend.
    ///
    /// Throws `storage-failed` when there can be no socket, `invalid-field` for too many devices.
    package init(path: String, _ backend: SimulatedBackend) throws(Problem) {
        guard backend.deviceIDs.count <= HostLimit.deviceCount else {
            throw Problem(.invalidField, "a host has at most \(HostLimit.deviceCount) devices")
        }
        self.path = path
        self.backend = backend
        do throws(Errno) {
            listener = SharedDescriptor(try PacketSocket.listen(at: path, mode: 0o600))
        } catch {
            var facts = Problem.Facts()
            facts.operation = "bind \(path)"
            facts.errno = error
            throw Problem(.storageFailed, "cannot listen at \(path): \(error.name)", facts)
        }
        let source = ReadSource(listener, on: queue) { [weak self] in self?.acceptAll() }
        state.withLock { $0.source = source }
        source.resume()
    }

    /// Stops listening, and closes every device and connection.
    package func stop() {
        let (source, connections, devices) = state.withLock { state in
            defer { state = State(isStopped: true) }
            return (state.source, Array(state.connections.values), Array(state.devices.values))
        }
        source?.cancel()
        PacketSocket.remove(path)
        backend.endWaits()
        for connection in connections { connection.close() }
        for device in devices { device.close() }
    }

    // MARK: Connections

    private func acceptAll() {
        while true {
            let accepted: FileDescriptor?
            do throws(Errno) {
                accepted = try listener.descriptor.accept()
            } catch {
                return pauseAccepting()
            }
            guard let accepted else { return }
            begin(SharedDescriptor(accepted))
        }
    }

    private func begin(_ connection: SharedDescriptor) {
        let control = HostControl(
            connection,
            of: { [weak self] in self },
            onClose: { [weak self] closed in
                _ = self?.state.withLock {
                    $0.connections.removeValue(forKey: ObjectIdentifier(closed))
                }
            }
        )
        let isTaken = state.withLock { state in
            guard !state.isStopped, state.connections.count < HostLimit.connectionCount else {
                return false
            }
            state.connections[ObjectIdentifier(control)] = control
            return true
        }
        if isTaken { control.begin() }
    }

    /// Out of descriptors: the source would fire without end until one is free.
    private func pauseAccepting() {
        guard let source = state.withLock({ $0.source }) else { return }
        source.suspend()
        queue.asyncAfter(deadline: .now() + .milliseconds(200)) { source.resume() }
    }

    // MARK: Devices

    /// One device that is open now, or nil: one whose file nobody has any more is closed first.
    @discardableResult
    func openDevice(_ id: DeviceID) -> ServedDevice? {
        guard let served = state.withLock({ $0.devices[id] }), !served.closeIfAbandoned() else {
            return nil
        }
        return served
    }

    /// Closes every device whose file nobody has any more.
    func closeAbandoned() {
        for served in state.withLock({ Array($0.devices.values) }) { _ = served.closeIfAbandoned() }
    }

    /// Opens a device, whose file is then to be handed over.
    func open(_ id: DeviceID, untouched: Bool) throws(Errno) -> ServedDevice {
        openDevice(id)
        let session = try session(id, untouched: untouched)
        let served = try ServedDevice(session) { [weak self] closed in
            self?.state.withLock { state in
                if state.devices[id] === closed { state.devices[id] = nil }
            }
        }
        let isStopped = state.withLock { state in
            if !state.isStopped { state.devices[id] = served }
            return state.isStopped
        }
        guard !isStopped else {
            session.close()
            throw .noDevice
        }
        served.begin()
        return served
    }

    private func session(
        _ id: DeviceID,
        untouched: Bool
    ) throws(Errno) -> any DeviceSession {
        if untouched {
            // Somebody has, or had, what the seed made.
            guard let session = backend.openUntouched(id) else { throw .busy }
            return session
        }
        do throws(Problem) {
            return try backend.open(id, joining: nil)
        } catch {
            throw error.facts.errno ?? .noDevice
        }
    }
}
