/// An error number of Linux, with its name.
///
/// The numbers are those of `asm-generic/errno.h`, which every architecture Ferry runs on shares.
package struct Errno: Error, Hashable, Sendable, Codable {
    package let number: Int32

    package init(number: Int32) { self.number = number }

    /// `EIO`; a number without a name as `E123`.
    package var name: String { Self.names[number] ?? "E\(number)" }

    package static let perm = Self(number: 1)
    package static let noEntry = Self(number: 2)
    package static let interrupted = Self(number: 4)
    package static let io = Self(number: 5)
    package static let badDescriptor = Self(number: 9)
    package static let again = Self(number: 11)
    package static let noMemory = Self(number: 12)
    package static let access = Self(number: 13)
    package static let fault = Self(number: 14)
    package static let busy = Self(number: 16)
    package static let exists = Self(number: 17)
    package static let noDevice = Self(number: 19)
    package static let notDirectory = Self(number: 20)
    package static let invalid = Self(number: 22)
    package static let tooManyFiles = Self(number: 23)
    package static let tooManyOpenFiles = Self(number: 24)
    package static let notTypewriter = Self(number: 25)
    package static let noSpace = Self(number: 28)
    package static let readOnly = Self(number: 30)
    package static let brokenPipe = Self(number: 32)
    package static let noMessage = Self(number: 42)
    package static let protocolError = Self(number: 71)
    package static let badMessage = Self(number: 74)
    package static let notSupported = Self(number: 95)
    package static let connectionReset = Self(number: 104)
    package static let notConnected = Self(number: 107)
    package static let timedOut = Self(number: 110)
    package static let cancelled = Self(number: 125)

    private static let names: [Int32: String] = [
        1: "EPERM", 2: "ENOENT", 3: "ESRCH", 4: "EINTR", 5: "EIO", 6: "ENXIO", 7: "E2BIG",
        8: "ENOEXEC", 9: "EBADF", 10: "ECHILD", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES",
        14: "EFAULT", 15: "ENOTBLK", 16: "EBUSY", 17: "EEXIST", 18: "EXDEV", 19: "ENODEV",
        20: "ENOTDIR", 21: "EISDIR", 22: "EINVAL", 23: "ENFILE", 24: "EMFILE", 25: "ENOTTY",
        26: "ETXTBSY", 27: "EFBIG", 28: "ENOSPC", 29: "ESPIPE", 30: "EROFS", 31: "EMLINK",
        32: "EPIPE", 33: "EDOM", 34: "ERANGE", 35: "EDEADLK", 36: "ENAMETOOLONG", 37: "ENOLCK",
        38: "ENOSYS", 39: "ENOTEMPTY", 40: "ELOOP", 42: "ENOMSG", 61: "ENODATA", 62: "ETIME",
        70: "ECOMM", 71: "EPROTO", 74: "EBADMSG", 75: "EOVERFLOW", 77: "EBADFD", 84: "EILSEQ",
        85: "ERESTART", 87: "EUSERS", 88: "ENOTSOCK", 90: "EMSGSIZE", 93: "EPROTONOSUPPORT",
        95: "EOPNOTSUPP", 97: "EAFNOSUPPORT", 98: "EADDRINUSE", 99: "EADDRNOTAVAIL",
        103: "ECONNABORTED", 104: "ECONNRESET", 105: "ENOBUFS", 107: "ENOTCONN", 110: "ETIMEDOUT",
        111: "ECONNREFUSED", 112: "EHOSTDOWN", 121: "EREMOTEIO", 122: "EDQUOT", 125: "ECANCELED",
    ]
}
