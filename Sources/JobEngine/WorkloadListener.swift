internal import Dispatch
package import MigrationCore
internal import Synchronization
internal import SystemIO

/// Takes programs' open devices in and gives them out, over a UNIX socket (`ferry_workload.h`).
///
/// Everything runs on one serial queue that never blocks; what blocks goes to the engine's pool.
package final class WorkloadListener: Sendable {
    /// Connections at a time; more are closed at once.
    package static let connectionLimit = 64

    private struct State {
        var source: ReadSource?
        var connections: [ObjectIdentifier: WorkloadConnection] = [:]
        var isStopped = false
    }

    package let path: String
    private let engine: Engine
    private let queue = DispatchQueue(label: "ferry.workload")
    private let socket: SharedDescriptor
    /// Guards the connections and the source.
    ///
    /// A leaf.
    private let state = Mutex(State())

    /// Listens at a path.
    ///
    /// Throws with the errno when it cannot.
    package init(path: String, engine: Engine) throws(Problem) {
        self.path = path
        self.engine = engine
        do throws(Errno) {
            self.socket = SharedDescriptor(try PacketSocket.listen(at: path, mode: 0o600))
        } catch {
            var facts = Problem.Facts()
            facts.operation = "bind \(path)"
            facts.errno = error
            throw Problem(
                .storageFailed,
                "The workload socket \(path) cannot be made: \(error.name).",
                facts
            )
        }
        let source = ReadSource(socket, on: queue) { [weak self] in self?.acceptAll() }
        state.withLock { $0.source = source }
        source.resume()
    }

    /// Stops listening and closes every connection; collections not confirmed are undone.
    package func stop() {
        let (source, connections) = state.withLock { state in
            defer {
                state.source = nil
                state.connections = [:]
                state.isStopped = true
            }
            return (state.source, Array(state.connections.values))
        }
        source?.cancel()
        for connection in connections { connection.close() }
        PacketSocket.remove(path)
    }

    private func acceptAll() {
        while true {
            let accepted: FileDescriptor?
            do throws(Errno) {
                accepted = try socket.descriptor.accept()
            } catch {
                return pauseAccepting()
            }
            guard let accepted else { return }
            begin(SharedDescriptor(accepted))
        }
    }

    private func begin(_ connection: SharedDescriptor) {
        let workload = WorkloadConnection(connection, engine: engine, queue: queue) {
            [weak self] closed in
            self?.state.withLock { $0.connections[closed] = nil }
        }
        let isTaken = state.withLock { state in
            guard !state.isStopped, state.connections.count < Self.connectionLimit else {
                return false
            }
            state.connections[ObjectIdentifier(workload)] = workload
            return true
        }
        if isTaken { workload.begin() }
    }

    /// Out of descriptors: the source would fire without end until one is free.
    private func pauseAccepting() {
        guard let source = state.withLock({ $0.source }) else { return }
        source.suspend()
        queue.asyncAfter(deadline: .now() + .milliseconds(200)) { source.resume() }
    }
}
