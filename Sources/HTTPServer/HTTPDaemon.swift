internal import CMicrohttpd

/// libmicrohttpd's daemon, which keeps its service alive until it is stopped.
///
/// Sendable: adding connections is what libmicrohttpd lets any thread do, and stopping is done
/// once, after the last one was added.
@safe struct HTTPDaemon: @unchecked Sendable {
    private let raw: OpaquePointer
    private let service: Unmanaged<RequestService>

    /// Nil when the system has no threads or descriptors for it.
    init?(_ service: RequestService) {
        let retained = unsafe Unmanaged.passRetained(service)
        let options = service.options
        var daemon = unsafe ferry_http_daemon(
            // A pool of one is what libmicrohttpd refuses.
            thread_count: UInt32(max(2, options.threadCount)),
            // Ours is kept at the door; its own is counted by thread, and must never bite.
            connection_limit: UInt32(options.connectionLimit * max(2, options.threadCount)),
            connection_memory: options.connectionMemoryByteCount,
            connection_changed: connectionChanged,
            target_read: targetRead,
            request_progressed: requestProgressed,
            request_ended: requestEnded,
            context: retained.toOpaque()
        )
        guard let raw = unsafe ferry_http_start(&daemon) else {
            unsafe retained.release()
            return nil
        }
        unsafe self.raw = raw
        unsafe self.service = retained
    }

    /// Gives a connection to libmicrohttpd, which closes it in any case.
    func add(_ descriptor: Int32) -> Bool {
        var address = sockaddr()
        // Its only use is a limit by address, which is not set.
        let length = socklen_t(MemoryLayout<sockaddr>.size)
        return unsafe MHD_add_connection(raw, descriptor, &address, length) == .YES
    }

    /// Closes every connection and ends the threads.
    ///
    /// None may be suspended: libmicrohttpd would abort the process.
    func stop() {
        unsafe MHD_stop_daemon(raw)
        unsafe service.release()
    }
}
