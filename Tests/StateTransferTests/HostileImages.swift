import Glibc
import Testing

/// Ways to damage an image of three members of 5000 bytes, the outer ones with sidecars of 100.
extension Damage {
    private static let manifest = "\(image)/manifest.json"
    private static let unreadable = "manifest.json cannot be read"

    /// Another text in the manifest's place.
    private static func text(_ name: String, _ difference: String, _ text: String) -> Damage {
        Damage(testDescription: "manifest \(name)", difference: difference) {
            try $0.replace(manifest, with: Array(text.utf8))
        }
    }

    /// Another word in the manifest.
    private static func word(
        _ name: String,
        _ difference: String,
        _ old: String,
        _ new: String
    ) -> Damage {
        Damage(testDescription: "manifest \(name)", difference: difference) {
            try $0.edit(old, new)
        }
    }

    static let manifestTexts: [Damage] = [
        text("empty", unreadable, ""),
        text("huge", "more than 1048576 bytes", String(repeating: " ", count: 1 << 21)),
        text("nested deeply", unreadable, String(repeating: "[", count: 500_000)),
        text("an array", unreadable, "[]"),
        text("null", unreadable, "null"),
        text("a string", unreadable, "\"manifest\""),
        text("without fields", unreadable, "{}"),
        text("of wrong types", unreadable, #"{"format":"1","image":[]}"#),
        text("cut short", unreadable, #"{"format":1,"image":{"id":"ima"#),
        text("with a NUL", unreadable, "{\"format\":1,\"image\":\"\\u0000\"}"),
        Damage(testDescription: "manifest not UTF-8", difference: unreadable) {
            try $0.replace(manifest, with: Array(#"{"format":1,"image":""#.utf8) + [0xff, 0xfe])
        },
        Damage(testDescription: "manifest valid, with a tail too long", difference: "more than") {
            let tail = [UInt8](repeating: 0x20, count: 1 << 20)
            try $0.replace(manifest, with: $0.bytes(of: manifest) + tail)
        },
    ]

    static let manifestWords: [Damage] = [
        word("with a field twice", unreadable, #""format":"#, #""format":2,"format":"#),
        word("of format 0", "has format 0", #""format":2"#, #""format":0"#),
        word("of format 3", "has format 3", #""format":2"#, #""format":3"#),
        word("of format -1", "has format -1", #""format":2"#, #""format":-1"#),
        word("of a format that had no sidecars", "no sidecars", #""format":2"#, #""format":1"#),
        word("of negative size", unreadable, #""byte_count":5000"#, #""byte_count":-5000"#),
        word(
            "of more bytes than a number holds",
            unreadable,
            #""byte_count":5000"#,
            #""byte_count":18446744073709551616"#
        ),
        word(
            "of other size",
            "another byte count of member 0, sim-0",
            #""byte_count":5000"#,
            #""byte_count":9223372036854775807"#
        ),
        word(
            "with another sidecar",
            "sidecar of member 0",
            #""byte_count":100"#,
            #""byte_count":99"#
        ),
        word("with a digest that is none", "another SHA-256", #""sha256":""#, #""sha256":"zz"#),
        word("of a device of two", unreadable, #""device":"sim-0""#, #""device":"../sim-0""#),
        word("of another device", "another device", #""device":"sim-0""#, #""device":"sim-7""#),
        word("of another id", "another id", #""id":"image-1""#, #""id":"image-2""#),
        word("of another job", "another job", #""job":"job-1""#, #""job":"job-2""#),
        word("of another driver", "another driver", #""driver":"mtty""#, #""driver":"mlx5""#),
        word("of other flags", "set of flags", #""flags":7"#, #""flags":3"#),
        word("of another kernel", "another kernel release", "6.12.0", "6.12.1"),
        word("of another time", "another time", "1700000000000", "1700000000001"),
        word("with a bus nobody knows", unreadable, #""device":"#, #""bus":"\#(long)","device":"#),
        word("with a bus", "another identity", #""device":"#, #""bus":"pci","device":"#),
        word("with a long driver", "another driver", #""mtty""#, "\"\(long)\""),
    ]

    static let long = String(repeating: "x", count: 300_000)

    static let members: [Damage] = [
        list("no members", "another number of members") { _ in "" },
        list("a million members", "more than") { _ in repeated("{}", 1_000_000) },
        list("members that are numbers", unreadable) { _ in repeated("0", 300_000) },
        list("four members", "another number of members") { members in
            "\(members),\(members.prefix { $0 != "}" })}}"
        },
    ]

    /// Another list of members.
    private static func list(
        _ name: String,
        _ difference: String,
        _ change: @escaping @Sendable (String) -> String
    ) -> Damage {
        Damage(testDescription: "manifest with \(name)", difference: difference) { place in
            let text = try place.membersText()
            let inner = String(text.dropFirst("\"members\":[".count).dropLast())
            try place.edit(text, "\"members\":[\(change(inner))]")
        }
    }

    private static func repeated(_ text: String, _ count: Int) -> String {
        Array(repeating: text, count: count).joined(separator: ",")
    }

    static let files: [Damage] = [
        Damage(testDescription: "contents exchanged", difference: "SHA-256") {
            $0.exchange("\(image)/content", "\(image)/content.2")
        },
        Damage(testDescription: "last content changed", difference: "content.2 has SHA-256") {
            let byte = try $0.bytes(of: "\(image)/content.2")[4999]
            try $0.write([~byte], to: "\(image)/content.2", at: 4999)
        },
        Damage(testDescription: "middle content missing", difference: "content.1 is missing") {
            unsafe unlink("\($0.path)/\(image)/content.1")
        },
        Damage(testDescription: "content immense", difference: "has 1099511627776 bytes") {
            unsafe truncate("\($0.path)/\(image)/content.1", 1 << 40)
        },
        Damage(testDescription: "sidecars exchanged", difference: "sidecar has SHA-256") {
            $0.exchange("\(image)/sidecar", "\(image)/sidecar.2")
        },
        Damage(testDescription: "sidecar missing", difference: "sidecar.2 is missing") {
            unsafe unlink("\($0.path)/\(image)/sidecar.2")
        },
        Damage(testDescription: "sidecar empty", difference: "sidecar has 0 bytes") {
            unsafe truncate("\($0.path)/\(image)/sidecar", 0)
        },
        Damage(testDescription: "sidecar longer", difference: "sidecar has 65536 bytes") {
            unsafe truncate("\($0.path)/\(image)/sidecar", 65536)
        },
        Damage(testDescription: "sidecar too big", difference: "more than 65536 bytes") {
            unsafe truncate("\($0.path)/\(image)/sidecar", 65537)
        },
        Damage(testDescription: "sidecar immense", difference: "more than 65536 bytes") {
            unsafe truncate("\($0.path)/\(image)/sidecar.2", 1 << 40)
        },
        Damage(testDescription: "sidecar changed", difference: "sidecar has SHA-256") {
            let byte = try $0.bytes(of: "\(image)/sidecar")[50]
            try $0.write([~byte], to: "\(image)/sidecar", at: 50)
        },
        Damage(testDescription: "a file more", difference: "holds \"extra\"") {
            try $0.write([1], to: "\(image)/extra")
        },
        Damage(testDescription: "a member more", difference: "holds \"content.3\"") {
            try $0.write([1], to: "\(image)/content.3")
        },
        Damage(testDescription: "a sidecar more", difference: "holds \"sidecar.1\"") {
            try $0.write([1], to: "\(image)/sidecar.1")
        },
        Damage(testDescription: "a directory more", difference: "which was not saved") {
            unsafe mkdir("\($0.path)/\(image)/a\nb", 0o700)
        },
        Damage(testDescription: "many files more", difference: "which was not saved") {
            for number in 0..<1000 { try $0.write([], to: "\(image)/extra-\(number)") }
        },
    ]

    /// Anything but a file in the place of each file.
    static let kinds: [Damage] = ["manifest.json", "content.1", "sidecar"].flatMap { name in
        let file = "\(image)/\(name)"
        return [
            Damage(testDescription: "\(name) a link", difference: "\(name) is a symbolic link") {
                unsafe unlink("\($0.path)/\(file)")
                unsafe symlink("/dev/zero", "\($0.path)/\(file)")
            },
            Damage(testDescription: "\(name) a FIFO", difference: "\(name) is not a regular") {
                unsafe unlink("\($0.path)/\(file)")
                unsafe mkfifo("\($0.path)/\(file)", 0o600)
            },
            Damage(testDescription: "\(name) a directory", difference: "\(name) is not a regular") {
                unsafe unlink("\($0.path)/\(file)")
                unsafe mkdir("\($0.path)/\(file)", 0o700)
            },
            Damage(testDescription: "\(name) a socket", difference: "\(name) is not a regular") {
                unsafe unlink("\($0.path)/\(file)")
                try bindSocket("\($0.path)/\(file)")
            },
        ]
    }

    private static func bindSocket(_ path: String) throws {
        let file = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(file) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            unsafe bytes.copyBytes(from: path.utf8.prefix(bytes.count - 1))
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe bind(file, address, size)
            }
        }
        try #require(result == 0)
    }
}
