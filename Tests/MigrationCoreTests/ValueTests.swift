import Foundation
import Glibc
import MigrationCore
import Testing

@Suite("Identifiers")
struct IdentifierTests {
    @Test(
        "the stable names of devices are identifiers",
        arguments: [
            "pci-0000:41:00.3", "mdev-83b8f4f2-509f-382f-3c1e-e6bfe0fa1001", "ccw-0.0.1234",
            "sim-0", "a", "...", "_", String(repeating: "x", count: 128),
        ]
    )
    func namesAreTaken(text: String) throws {
        let id = try #require(DeviceID(text))
        #expect(id.text == text)
        #expect(id.description == text)
    }

    @Test(
        "what could leave a URL segment, a file name or a log line is not",
        arguments: [
            "", ".", "..", "a/b", "a b", "a\u{0}", "a\n", "a%2fb", "é", "e\u{301}", "\u{212A}",
            "a?",
            "a#b", "\\", "~", String(repeating: "x", count: 129), "\u{1F600}",
        ]
    )
    func hostileTextIsRefused(text: String) {
        #expect(DeviceID(text) == nil)
    }

    @Test("of the 256 bytes exactly 66 are allowed")
    func allowedBytes() {
        let allowed = (UInt8.min...UInt8.max).filter { byte in
            JobID("x" + String(decoding: [byte], as: UTF8.self)) != nil
        }
        #expect(allowed.count == 66)
    }

    @Test("reading checks what writing wrote")
    func coding() throws {
        let id = try #require(ImageID("image-1"))
        let data = try JSONEncoder().encode([id])
        #expect(String(decoding: data, as: UTF8.self) == "[\"image-1\"]")
        #expect(try JSONDecoder().decode([ImageID].self, from: data) == [id])
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([ImageID].self, from: Data("[\"../etc\"]".utf8))
        }
    }

    @Test("identifiers sort by their bytes")
    func order() throws {
        let names = ["a", "B", "sim-10", "sim-2", "_", "1", "a.", "a-"]
        let ids = try names.map { try #require(DeviceID($0)) }
        let byBytes = names.sorted { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) }
        #expect(ids.sorted().map(\.text) == byBytes)
    }
}

@Suite("Timestamps")
struct TimestampTests {
    /// Checked against `date -u -d @SECONDS +%FT%TZ`.
    static let dates: [(Int64, String)] = [
        (0, "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (-86_400_000, "1969-12-31T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_799_999, "2000-02-29T23:59:59.999Z"),
        (951_868_800_000, "2000-03-01T00:00:00.000Z"),
        (1_709_164_800_000, "2024-02-29T00:00:00.000Z"),
        (1_677_628_800_000, "2023-03-01T00:00:00.000Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (4_107_456_000_000, "2100-02-28T00:00:00.000Z"),
        (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"),
        (-2_203_977_600_000, "1900-02-28T00:00:00.000Z"),
        (2_147_483_647_000, "2038-01-19T03:14:07.000Z"),
        (2_147_483_648_007, "2038-01-19T03:14:08.007Z"),
        (1_795_420_253_120, "2026-11-23T07:50:53.120Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
        (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
    ]

    @Test("known dates", arguments: dates)
    func knownDates(milliseconds: Int64, text: String) {
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).rfc3339 == text)
    }

    @Test("the C library agrees on 20,000 moments of the years 0 to 9999")
    func agreesWithTheCLibrary() {
        var random = SplitMix64(seed: 1)
        for _ in 0..<20_000 {
            let seconds = Int64.random(in: -62_167_219_200...253_402_300_799, using: &random)
            var time = time_t(seconds)
            var parts = unsafe tm()
            unsafe gmtime_r(&time, &parts)
            let expected = unsafe [
                parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                parts.tm_min, parts.tm_sec,
            ]
            let text = Timestamp(millisecondsSinceEpoch: seconds * 1000).rfc3339
            let fields = text.dropLast(5).split { "-T:".contains($0) }.compactMap { Int32($0) }
            #expect(fields == expected, "\(seconds)")
        }
    }

    @Test("every text sorts as its moment, and the ends of the range are no trap")
    func order() {
        let texts = Self.dates.sorted { $0.0 < $1.0 }.map(\.1)
        #expect(texts == texts.sorted())
        let stamps = Self.dates.map { Timestamp(millisecondsSinceEpoch: $0.0) }
        #expect(stamps.sorted().map(\.rfc3339) == texts)
    }

    /// RFC 3339 has years of four digits; a clock that is off must not write another format.
    @Test(
        "a moment outside the years 0 to 9999 is shown as the nearest one inside",
        arguments: [
            (Int64.max, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "9999-12-31T23:59:59.999Z"),
            (-62_167_219_200_001, "0000-01-01T00:00:00.000Z"),
            (Int64.min, "0000-01-01T00:00:00.000Z"),
        ]
    )
    func outsideIsClamped(milliseconds: Int64, text: String) {
        #expect(Timestamp(millisecondsSinceEpoch: milliseconds).rfc3339 == text)
    }
}

@Suite("Error numbers")
struct ErrnoTests {
    @Test("every number has the name the C library gives it, or its number")
    func namesAreTheCLibrarys() {
        // Glibc has it, its Swift module does not.
        guard let symbol = unsafe dlsym(nil, "strerrorname_np") else {
            Issue.record("this C library has no strerrorname_np")
            return
        }
        typealias NameOf = @convention(c) (Int32) -> UnsafePointer<CChar>?
        let nameOf = unsafe unsafeBitCast(symbol, to: NameOf.self)
        for number in Int32(1)...140 {
            let name = Errno(number: number).name
            if let known = unsafe nameOf(number) {
                let expected = unsafe String(cString: known)
                // One number, two names; the kernel's headers say EOPNOTSUPP.
                #expect(name == (expected == "ENOTSUP" ? "EOPNOTSUPP" : expected))
            } else {
                #expect(name == "E\(number)")
            }
        }
        for number in [0, -1, 524, Int32.max, Int32.min] {
            #expect(Errno(number: number).name == "E\(number)")
        }
    }

    @Test("the named constants are the C library's")
    func constants() {
        let pairs: [(Errno, Int32)] = [
            (.perm, EPERM), (.noEntry, ENOENT), (.interrupted, EINTR), (.io, EIO),
            (.badDescriptor, EBADF), (.again, EAGAIN), (.noMemory, ENOMEM), (.access, EACCES),
            (.fault, EFAULT), (.busy, EBUSY), (.exists, EEXIST), (.noDevice, ENODEV),
            (.notDirectory, ENOTDIR), (.invalid, EINVAL), (.tooManyFiles, ENFILE),
            (.tooManyOpenFiles, EMFILE), (.notTypewriter, ENOTTY), (.noSpace, ENOSPC),
            (.readOnly, EROFS), (.brokenPipe, EPIPE), (.noMessage, ENOMSG),
            (.protocolError, EPROTO), (.badMessage, EBADMSG), (.notSupported, EOPNOTSUPP),
            (.connectionReset, ECONNRESET), (.notConnected, ENOTCONN), (.timedOut, ETIMEDOUT),
            (.cancelled, ECANCELED),
        ]
        for (constant, number) in pairs { #expect(constant.number == number) }
    }
}
