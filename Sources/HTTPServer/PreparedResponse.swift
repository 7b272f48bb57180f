internal import CMicrohttpd
internal import ManagementAPI

/// An answer as libmicrohttpd has it.
///
/// Sendable: libmicrohttpd counts the uses of a response under a lock of its own and lets any
/// number of connections send it at once; nothing here changes it once it is made.
@safe final class PreparedResponse: @unchecked Sendable {
    private let raw: OpaquePointer

    /// Nil when there is no memory.
    convenience init?(_ response: APIResponse, closes: Bool = false) {
        let made = unsafe response.body.withUnsafeBytes { body in
            unsafe MHD_create_response_from_buffer(
                body.count,
                UnsafeMutableRawPointer(mutating: body.baseAddress),
                .RESPMEM_MUST_COPY
            )
        }
        guard let made = unsafe made else { return nil }
        unsafe self.init(made, response, closes: closes)
    }

    /// Takes over a response of libmicrohttpd's that has its body, and gives it its headers.
    init(_ made: OpaquePointer, _ response: APIResponse, closes: Bool) {
        for (name, value) in response.transportHeaders {
            // Refused is a line that would break the answer's head; it is left out.
            _ = unsafe MHD_add_response_header(made, name, value)
        }
        if closes { _ = unsafe MHD_add_response_header(made, "Connection", "close") }
        unsafe raw = made
    }

    // Connections that still send it have references of their own.
    deinit { unsafe MHD_destroy_response(raw) }

    /// Gives libmicrohttpd the answer of a connection.
    func queue(on connection: OpaquePointer, status: Int) -> MHD_Result {
        withExtendedLifetime(self) {
            unsafe MHD_queue_response(connection, UInt32(status), raw)
        }
    }
}
