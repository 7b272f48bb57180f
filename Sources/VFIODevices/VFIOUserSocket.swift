package import MigrationCore

/// A vfio-user device of the configuration: its name, and the socket of the program that is it.
package struct VFIOUserSocket: Hashable, Sendable {
    package let device: DeviceID
    package let path: String

    /// Each is looked at whenever one of them may have changed.
    static let countLimit = 256
    /// `sun_path` less its terminator.
    static let pathByteLimit = 107

    /// Reads `NAME=PATH`, each of another device.
    ///
    /// Throws `invalid-field`, naming the one at fault.
    package static func parse(_ texts: [String]) throws(Problem) -> [VFIOUserSocket] {
        guard texts.count <= countLimit else {
            throw Problem(
                .invalidField,
                "vfio_user names \(texts.count) devices; there may be \(countLimit)."
            )
        }
        var sockets: [VFIOUserSocket] = []
        var devices: Set<DeviceID> = []
        // By bytes, as the kernel compares: texts are equal that are not written alike.
        var paths: Set<[UInt8]> = []
        for text in texts {
            let socket = try VFIOUserSocket(text)
            guard devices.insert(socket.device).inserted else {
                throw wrong(text, "another one has this name")
            }
            guard paths.insert(Array(socket.path.utf8)).inserted else {
                throw wrong(text, "another one has this path")
            }
            sockets.append(socket)
        }
        return sockets
    }

    private init(_ text: String) throws(Problem) {
        guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) else {
            throw Self.wrong(text, "it is not NAME=PATH")
        }
        let name = text[..<equals]
        guard !name.isEmpty, let device = DeviceID("vfiouser-\(name)") else {
            throw Self.wrong(
                text,
                "a name is 1 to 119 letters, digits, dots, hyphens, underscores and colons"
            )
        }
        let path = String(text[text.utf8.index(after: equals)...])
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw Self.wrong(text, "a path begins with /")
        }
        guard path.utf8.count <= Self.pathByteLimit else {
            throw Self.wrong(
                text,
                "the path of a socket has at most \(Self.pathByteLimit) bytes, this one has "
                    + "\(path.utf8.count)"
            )
        }
        // U+FFFD is what became of bytes that are no UTF-8: another path than was meant.
        guard
            !path.unicodeScalars.contains(where: {
                $0.properties.generalCategory == .control || $0 == "\u{FFFD}"
            })
        else { throw Self.wrong(text, "a path is UTF-8 without control characters") }
        // A mark that combines with a slash before it leaves the kernel's slash a slash.
        let parts = path.utf8.split(
            separator: UInt8(ascii: "/"),
            omittingEmptySubsequences: false
        )
        guard parts.dropFirst().allSatisfy({ SysfsPath.isName(String(Substring($0))) }) else {
            throw Self.wrong(text, "a path has no . or .. in it, and no empty parts")
        }
        self.device = device
        self.path = path
    }

    private static func wrong(_ text: String, _ reason: String) -> Problem {
        Problem(.invalidField, "vfio_user has \(text.debugDescription): \(reason).")
    }
}
