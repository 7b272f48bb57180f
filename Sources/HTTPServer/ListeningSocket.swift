internal import CMicrohttpd
internal import Glibc
internal import Synchronization

/// A listening socket, and the file of it when it is a UNIX socket.
final class ListeningSocket: Sendable {
    /// The address others connect to, with the port that was picked.
    let boundAddress: ListenAddress
    private let file: SocketFile?
    /// Guards the descriptor until it is closed; a leaf of the lock order.
    private let descriptor: Mutex<Int32?>

    init(_ address: ListenAddress) throws(ListenFailure) {
        let domain =
            switch address {
            case .unix: AF_UNIX
            case .tcp(.v4, _): AF_INET
            case .tcp(.v6, _): AF_INET6
            }
        let raw = Self.streamSocket(domain)
        guard raw >= 0 else { throw ListenFailure(address, "socket") }
        do throws(ListenFailure) {
            switch address {
            case .unix(let path):
                self.file = try SocketFile(binding: raw, to: path)
                self.boundAddress = address
            case .tcp(let host, let port):
                self.file = nil
                self.boundAddress = try Self.bind(raw, to: host, port: port)
            }
            guard Glibc.listen(raw, SOMAXCONN) == 0 else { throw ListenFailure(address, "listen") }
        } catch {
            Glibc.close(raw)
            throw error
        }
        self.descriptor = Mutex(raw)
    }

    deinit { close() }

    /// The number for `poll`, until ``close()``.
    var raw: Int32? { descriptor.withLock { $0 } }

    /// The next waiting connection; `EAGAIN` when there is none.
    func accept() -> Result<Int32, AcceptError> {
        descriptor.withLock { descriptor in
            guard let descriptor else { return .failure(AcceptError(number: EAGAIN)) }
            let accepted = ferry_http_accept(descriptor)
            return accepted >= 0 ? .success(accepted) : .failure(AcceptError(number: -accepted))
        }
    }

    /// Takes no more connections; those that wait are reset.
    ///
    /// May be called again.
    func close() {
        descriptor.withLock { descriptor in
            guard let raw = descriptor else { return }
            descriptor = nil
            // The file first: nobody shall find it and be refused.
            file?.remove()
            Glibc.close(raw)
        }
    }

    /// A socket that is close-on-exec and does not block; negative when there is none.
    static func streamSocket(_ domain: Int32) -> Int32 {
        let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
        return socket(domain, Int32(type), 0)
    }

    struct AcceptError: Error {
        let number: Int32
    }

    private static func bind(
        _ raw: Int32,
        to host: ListenAddress.Host,
        port: UInt16
    ) throws(ListenFailure) -> ListenAddress {
        let address = ListenAddress.tcp(host: host, port: port)
        var one: Int32 = 1
        unsafe setsockopt(raw, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var storage = sockaddr_storage()
        let length = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            unsafe host.write(port: port, to: bytes)
        }
        var boundLength = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let failed: String? = unsafe withUnsafeMutablePointer(to: &storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                if unsafe Glibc.bind(raw, name, length) != 0 { return "bind" }
                return unsafe getsockname(raw, name, &boundLength) == 0 ? nil : "getsockname"
            }
        }
        if let failed { throw ListenFailure(address, failed) }
        // sin_port and sin6_port are at the same place.
        let bound = unsafe withUnsafeBytes(of: &storage) {
            unsafe $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
        }
        return .tcp(host: host, port: UInt16(bigEndian: bound))
    }
}

extension ListenAddress.Host {
    /// Writes the address for `bind` and tells its length.
    fileprivate func write(port: UInt16, to bytes: UnsafeMutableRawBufferPointer) -> socklen_t {
        switch self {
        case .v4(let number):
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = number.bigEndian
            unsafe bytes.storeBytes(of: address, as: sockaddr_in.self)
            return socklen_t(MemoryLayout<sockaddr_in>.size)
        case .v6:
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            address.sin6_port = port.bigEndian
            address.sin6_addr = in6addr_loopback
            unsafe bytes.storeBytes(of: address, as: sockaddr_in6.self)
            return socklen_t(MemoryLayout<sockaddr_in6>.size)
        }
    }
}
