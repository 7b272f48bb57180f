import Glibc

enum OpenSockets {
    /// The open sockets with this local TCP port.
    static func count(onPort port: UInt16) -> Int {
        (0..<1024).count { (descriptor: Int32) in
            var name = sockaddr_in()
            var length = socklen_t(MemoryLayout<sockaddr_in>.size)
            let result = unsafe withUnsafeMutablePointer(to: &name) {
                unsafe $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    unsafe getsockname(descriptor, $0, &length)
                }
            }
            return result == 0 && name.sin_family == sa_family_t(AF_INET)
                && UInt16(bigEndian: name.sin_port) == port
        }
    }
}
