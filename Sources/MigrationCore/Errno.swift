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
    package static let tooManyUsers = Self(number: 87)
    package static let messageTooLong = Self(number: 90)
    package static let notSupported = Self(number: 95)
    package static let connectionReset = Self(number: 104)
    package static let noBufferSpace = Self(number: 105)
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
        38: "ENOSYS", 39: "ENOTEMPTY", 40: "ELOOP", 42: "ENOMSG", 43: "EIDRM", 44: "ECHRNG",
        45: "EL2NSYNC", 46: "EL3HLT", 47: "EL3RST", 48: "ELNRNG", 49: "EUNATCH", 50: "ENOCSI",
        51: "EL2HLT", 52: "EBADE", 53: "EBADR", 54: "EXFULL", 55: "ENOANO", 56: "EBADRQC",
        57: "EBADSLT", 59: "EBFONT", 60: "ENOSTR", 61: "ENODATA", 62: "ETIME", 63: "ENOSR",
        64: "ENONET", 65: "ENOPKG", 66: "EREMOTE", 67: "ENOLINK", 68: "EADV", 69: "ESRMNT",
        70: "ECOMM", 71: "EPROTO", 72: "EMULTIHOP", 73: "EDOTDOT", 74: "EBADMSG", 75: "EOVERFLOW",
        76: "ENOTUNIQ", 77: "EBADFD", 78: "EREMCHG", 79: "ELIBACC", 80: "ELIBBAD", 81: "ELIBSCN",
        82: "ELIBMAX", 83: "ELIBEXEC", 84: "EILSEQ", 85: "ERESTART", 86: "ESTRPIPE", 87: "EUSERS",
        88: "ENOTSOCK", 89: "EDESTADDRREQ", 90: "EMSGSIZE", 91: "EPROTOTYPE", 92: "ENOPROTOOPT",
        93: "EPROTONOSUPPORT", 94: "ESOCKTNOSUPPORT", 95: "EOPNOTSUPP", 96: "EPFNOSUPPORT",
        97: "EAFNOSUPPORT", 98: "EADDRINUSE", 99: "EADDRNOTAVAIL", 100: "ENETDOWN",
        101: "ENETUNREACH", 102: "ENETRESET", 103: "ECONNABORTED", 104: "ECONNRESET",
        105: "ENOBUFS", 106: "EISCONN", 107: "ENOTCONN", 108: "ESHUTDOWN", 109: "ETOOMANYREFS",
        110: "ETIMEDOUT", 111: "ECONNREFUSED", 112: "EHOSTDOWN", 113: "EHOSTUNREACH",
        114: "EALREADY", 115: "EINPROGRESS", 116: "ESTALE", 117: "EUCLEAN", 118: "ENOTNAM",
        119: "ENAVAIL", 120: "EISNAM", 121: "EREMOTEIO", 122: "EDQUOT", 123: "ENOMEDIUM",
        124: "EMEDIUMTYPE", 125: "ECANCELED", 126: "ENOKEY", 127: "EKEYEXPIRED", 128: "EKEYREVOKED",
        129: "EKEYREJECTED", 130: "EOWNERDEAD", 131: "ENOTRECOVERABLE", 132: "ERFKILL",
        133: "EHWPOISON",
    ]
}
