internal import CMicrohttpd
internal import Glibc

// The functions libmicrohttpd calls, on its own threads. They are functions of a library and not
// closures: a closure written in a main.swift would belong to the main actor and trap there.
//
// Their first argument is the DaemonContext, retained as long as the daemon runs. A connection's
// context is a retained ClientConnection, from its start to its close; a request's is a retained
// Exchange, from its target to its end; a streamed body's is a retained StreamedAnswer, as long as
// libmicrohttpd has the response.

func connectionChanged(
    _ context: UnsafeMutableRawPointer?,
    _ connection: OpaquePointer?,
    _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _ change: MHD_ConnectionNotificationCode
) {
    guard let context = unsafe daemonContext(context), let slot = unsafe slot else { return }
    if change == .CONNECTION_NOTIFY_STARTED {
        let client = unsafe context.service.didConnect(
            ferry_http_descriptor(connection),
            context.wakeup
        )
        unsafe slot.pointee = Unmanaged.passRetained(client).toOpaque()
    } else if let raw = unsafe slot.pointee {
        unsafe slot.pointee = nil
        context.service.didDisconnect(
            unsafe Unmanaged<ClientConnection>.fromOpaque(raw).takeRetainedValue()
        )
    }
}

func targetRead(
    _ context: UnsafeMutableRawPointer?,
    _ target: UnsafePointer<CChar>?,
    _ connection: OpaquePointer?
) -> UnsafeMutableRawPointer? {
    guard let service = unsafe service(context), let raw = unsafe ferry_http_context(connection)
    else { return nil }
    let client = unsafe Unmanaged<ClientConnection>.fromOpaque(raw).takeUnretainedValue()
    let bytes = unsafe UnsafeRawBufferPointer(start: target, count: target.map(strlen) ?? 0)
    let exchange = unsafe service.didReadTarget(bytes, on: client)
    return unsafe Unmanaged.passRetained(exchange).toOpaque()
}

// libmicrohttpd's own list of parameters.
// swift-format-ignore
func requestProgressed(
    _ context: UnsafeMutableRawPointer?, _ connection: OpaquePointer?, _ url: UnsafePointer<CChar>?,
    _ method: UnsafePointer<CChar>?, _ version: UnsafePointer<CChar>?,
    _ part: UnsafePointer<CChar>?, _ partByteCount: UnsafeMutablePointer<Int>?,
    _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
) -> MHD_Result {
    guard let service = unsafe service(context), let raw = unsafe slot?.pointee,
        let connection = unsafe connection, let url = unsafe url, let method = unsafe method,
        let version = unsafe version, let partByteCount = unsafe partByteCount
    else { return .NO }
    let exchange = unsafe Unmanaged<Exchange>.fromOpaque(raw).takeUnretainedValue()
    let event = unsafe AccessEvent(
        connection: connection, url: url, method: method, version: version, part: part,
        partByteCount: partByteCount
    )
    return service.didProgress(exchange, event)
}

func requestEnded(
    _ context: UnsafeMutableRawPointer?,
    _: OpaquePointer?,
    _ slot: UnsafeMutablePointer<UnsafeMutableRawPointer?>?,
    _: MHD_RequestTerminationCode
) {
    guard let service = unsafe service(context), let raw = unsafe slot?.pointee else { return }
    unsafe slot?.pointee = nil
    service.didEnd(unsafe Unmanaged<Exchange>.fromOpaque(raw).takeRetainedValue())
}

func readBody(
    _ context: UnsafeMutableRawPointer?,
    _: UInt64,
    _ buffer: UnsafeMutablePointer<CChar>?,
    _ byteCount: Int
) -> Int {
    guard let context = unsafe context else { return ferry_http_body_broken }
    let answer = unsafe Unmanaged<StreamedAnswer>.fromOpaque(context).takeUnretainedValue()
    return unsafe answer.read(
        into: UnsafeMutableRawBufferPointer(start: buffer, count: byteCount)
    )
}

func bodyEnded(_ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { return }
    unsafe Unmanaged<StreamedAnswer>.fromOpaque(context).release()
}

private func service(_ context: UnsafeMutableRawPointer?) -> RequestService? {
    unsafe daemonContext(context)?.service
}

private func daemonContext(_ context: UnsafeMutableRawPointer?) -> DaemonContext? {
    guard let context = unsafe context else { return nil }
    let daemon = unsafe Unmanaged<DaemonContext>.fromOpaque(context).takeUnretainedValue()
    daemon.wakeup.didCall()
    return daemon
}
