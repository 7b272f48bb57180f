package import ManagementAPI
internal import Synchronization

/// An HTTP/1.1 server on one address, from its making until ``stop()``.
package final class HTTPServer: Sendable {
    private let service: RequestService
    private let address: ListenAddress
    /// Guards that the stop is done once, and lets a second caller wait for the first.
    ///
    /// Held while the server stops; no callback takes it.
    private let daemons: Mutex<[HTTPDaemon]>

    /// Serves the API.
    package convenience init(
        listener: ListenAddress,
        options: Options = Options(),
        api: ManagementAPI
    ) throws(ListenFailure) {
        try self.init(
            listener: listener,
            options: options,
            metrics: api.transport,
            handle: { request, reply in api.respond(to: request, reply: reply) },
            openBody: { request in api.bodyHandling(for: request) },
            refuse: { refusal, request in api.refuse(refusal, request) }
        )
    }

    /// Serves anything.
    package init(
        listener: ListenAddress,
        options: Options = Options(),
        metrics: TransportMetrics = TransportMetrics(),
        handle: @escaping Handle,
        openBody: @escaping OpenBody = { _ in .collect },
        refuse: @escaping Refuse
    ) throws(ListenFailure) {
        if case .tcp = listener, !options.allowsAnonymousLoopback {
            throw ListenFailure(
                "\(listener): TCP lets in anybody on this host; "
                    + "give --allow-anonymous-loopback if that is meant"
            )
        }
        let socket = try ListeningSocket(listener)
        self.service = try RequestService(
            listener: socket,
            options: options,
            metrics: metrics,
            handle: handle,
            openBody: openBody,
            refuse: refuse
        )
        self.address = socket.boundAddress
        var daemons: [HTTPDaemon] = []
        for number in 0..<max(1, options.threadCount) {
            do throws(ListenFailure) {
                daemons.append(try HTTPDaemon(service, number: number, at: address))
            } catch {
                for daemon in daemons { daemon.stop() }
                throw error
            }
        }
        self.daemons = Mutex(daemons)
        service.door.open(daemons)
    }

    /// Where clients find the server: `tcp:127.0.0.1:43121`, `unix:/run/ferry.sock`.
    package var boundAddress: String { address.description }

    /// Lets nobody in any more, gives requests a moment to finish, refuses the ones that still wait
    /// with 503, cuts off the bodies that are not through, and returns when every connection is
    /// closed.
    ///
    /// Blocks the thread: at most some seconds more than ``Options/stopGrace``.
    package func stop() {
        daemons.withLock { daemons in
            guard !daemons.isEmpty else { return }
            service.door.shut()
            service.beginStop()
            service.requests.waitForNone(atMost: service.options.stopGrace)
            service.endWaiting()
            // For the refusals to get through.
            service.requests.waitForNone(atMost: .seconds(2))
            for daemon in daemons { daemon.stop() }
            daemons = []
            service.door.leave()
        }
    }
}
