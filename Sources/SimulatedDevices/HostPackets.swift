internal import MigrationCore
internal import SystemIO

/// What is asked of ferry-simd, with its number on the wire.
///
///     control connection   connect(2) to the host's socket; any number of calls, one at a time
///     device file          one end of a pair; each call brings the socket its answer goes to
///     data file            one end of a pair; one call at a time, answered on it
///
/// All numbers are little-endian. A call is magic (4 bytes), number (4) and argument (8), and then
/// what belongs to it; an answer is magic (4), errno or 0 (4) and two values (8 each), and then what
/// belongs to it.
enum HostCall: UInt32, Sendable {
    // On a device file.
    /// Answers the number of the state.
    case get = 1
    /// The argument is the state; answers how many streams it opened, 0 or 1, with its data file.
    case set = 2
    case dataSize = 3
    case detach = 4
    case reset = 5
    /// Brings two eventfds, for the unplug request and for the error.
    case signals = 6

    // On a data file.
    /// The argument is the most bytes to read; answers how many follow.
    case read = 16
    /// The bytes follow; answers how many were taken.
    case write = 17
    /// Answers initial and dirty bytes.
    case preCopyInfo = 18

    // On a control connection.
    /// The argument is the place in the list to begin at; answers how many records follow, and how
    /// many devices there are.
    case list = 32
    /// The name of a device follows; answers how many records follow: 0 or 1.
    case describe = 33
    /// The name of a device follows; answers its support, with its file.
    case open = 34
    /// The same for a device that was never open: it has the content of its seed.
    case openUntouched = 35
    case probe = 36
    /// The name of a device follows, beside what is said to be its open file.
    case verify = 37
    /// The text of a fault follows.
    case inject = 38
}

/// The head of a call.
struct CallPacket: Sendable {
    static let headByteCount = 16
    /// The text FSQ1.
    private static let magic: UInt32 = 0x3151_5346

    let call: HostCall
    let argument: UInt64

    /// What is sent, with what belongs to the call behind it.
    static func bytes(
        _ call: HostCall,
        _ argument: UInt64 = 0,
        _ rest: some Sequence<UInt8> = []
    ) -> [UInt8] {
        StreamFormat.bytes(magic) + StreamFormat.bytes(call.rawValue)
            + StreamFormat.bytes(argument) + rest
    }

    /// Nil for what is no call.
    init?(_ packet: UnsafeRawBufferPointer) {
        guard packet.count >= Self.headByteCount else { return nil }
        let head = unsafe Array(packet[..<Self.headByteCount])
        guard StreamFormat.number(head[..<4]) == Self.magic,
            let call = HostCall(rawValue: StreamFormat.number(head[4..<8]))
        else { return nil }
        self.call = call
        self.argument = StreamFormat.number(head[8...])
    }
}

/// The head of an answer.
struct AnswerPacket: Sendable {
    static let headByteCount = 24
    /// The text FSA1.
    private static let magic: UInt32 = 0x3141_5346

    /// What the call failed with; nil when it succeeded.
    var errno: Errno?
    var first: UInt64 = 0
    var second: UInt64 = 0

    init(first: UInt64 = 0, second: UInt64 = 0) {
        self.first = first
        self.second = second
    }

    init(_ errno: Errno) { self.errno = errno }

    var bytes: [UInt8] {
        StreamFormat.bytes(Self.magic) + StreamFormat.bytes(errno?.number ?? 0)
            + StreamFormat.bytes(first) + StreamFormat.bytes(second)
    }

    /// Throws EPROTO for what is no answer.
    init(_ packet: UnsafeRawBufferPointer) throws(Errno) {
        guard packet.count >= Self.headByteCount else { throw .protocolError }
        let head = unsafe Array(packet[..<Self.headByteCount])
        let number: Int32 = StreamFormat.number(head[4..<8])
        guard StreamFormat.number(head[..<4]) as UInt32 == Self.magic, (0...4095).contains(number)
        else { throw .protocolError }
        self.errno = number == 0 ? nil : Errno(number: number)
        self.first = StreamFormat.number(head[8..<16])
        self.second = StreamFormat.number(head[16...])
    }

    /// The answer, when the call succeeded.
    func success() throws(Errno) -> AnswerPacket {
        if let errno { throw errno }
        return self
    }
}

/// The limits both sides keep.
enum HostLimit {
    /// State bytes in one packet.
    static let transferByteCount = 128 << 10
    /// What belongs to a call on a control connection, or to its answer.
    static let controlByteCount = 32 << 10
    /// Devices of one host.
    static let deviceCount = 16_384
    /// Control connections at a time; more are closed at once.
    static let connectionCount = 256
    /// Calls on one device file that have not been answered; more are answered with EAGAIN.
    static let callCount = 32
    /// How long a client waits for an answer that needs no device.
    static let patienceMilliseconds: Int32 = 10_000
}

/// What a device supports, in an answer.
extension MigrationSupport {
    /// Nil for what a simulated device never has.
    init?(_ answer: AnswerPacket) {
        switch answer.first {
        case 0: self = .none
        case 1: self = .stateStream(MigrationFlags(rawValue: answer.second))
        default: return nil
        }
    }
}

extension AnswerPacket {
    init(_ support: MigrationSupport) {
        self.init(first: support.flags == nil ? 0 : 1, second: support.flags?.rawValue ?? 0)
    }
}
