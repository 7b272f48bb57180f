internal import CGnuTLS
package import MigrationCore

/// SHA-256 of bytes as they come, by GnuTLS.
@safe package struct ContentDigest: ~Copyable, @unchecked Sendable {
    // Sendable: the handle has this one owner and GnuTLS ties it to no thread; only the mutating
    // `update` changes what it points to, and exclusivity keeps that from overlapping a copy.
    private let handle: gnutls_hash_hd_t

    /// Throws `internal` when GnuTLS has no memory, or no SHA-256 by its policy.
    package init() throws(Problem) {
        var handle: gnutls_hash_hd_t?
        let result = unsafe gnutls_hash_init(&handle, GNUTLS_DIG_SHA256)
        guard result == 0, let made = unsafe handle else { throw Self.problem(result) }
        unsafe self.handle = made
    }

    deinit { unsafe gnutls_hash_deinit(handle, nil) }

    package mutating func update(_ bytes: UnsafeRawBufferPointer) throws(Problem) {
        let result = unsafe gnutls_hash(handle, bytes.baseAddress, bytes.count)
        guard result == 0 else { throw Self.problem(result) }
    }

    /// The digest of everything so far, in lower case hexadecimal.
    ///
    /// More may follow.
    package borrowing func hexadecimal() throws(Problem) -> String {
        guard let copy = unsafe gnutls_hash_copy(handle) else {
            throw Self.problem(GNUTLS_E_MEMORY_ERROR)
        }
        var bytes = [UInt8](repeating: 0, count: 32)
        unsafe bytes.withUnsafeMutableBytes { unsafe gnutls_hash_deinit(copy, $0.baseAddress) }
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self
        )
    }

    /// The digest of bytes that are all there.
    package static func hexadecimal(of bytes: [UInt8]) throws(Problem) -> String {
        var digest = try Self()
        try unsafe bytes.withUnsafeBufferPointer { bytes throws(Problem) in
            try unsafe digest.update(UnsafeRawBufferPointer(bytes))
        }
        return try digest.hexadecimal()
    }

    private static func problem(_ result: Int32) -> Problem {
        let reason = unsafe gnutls_strerror(result).map { unsafe String(cString: $0) } ?? ""
        return Problem(.internalError, "GnuTLS could not compute SHA-256: \(reason).")
    }
}
