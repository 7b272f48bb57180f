/// The names of things of the kernel that may be asked for: whether a text can be one.
package enum KernelName {
    /// 1 to 64 letters, digits, hyphens and underscores, as every driver's name has.
    package static func isDriver(_ text: String) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }

    /// 1 to 255 visible characters of ASCII, and no slash: a directory of sysfs.
    package static func isDirectory(_ text: String) -> Bool {
        (1...255).contains(text.utf8.count)
            && text.utf8.allSatisfy {
                (UInt8(ascii: "!")...UInt8(ascii: "~")).contains($0) && $0 != UInt8(ascii: "/")
            }
    }
}

/// What may be done to a device's place on the host, before and after its state moves.
package enum DeviceChange: Hashable, Sendable, Codable {
    /// Gives it to a driver of VFIO: this one, or the one that fits it best.
    case bind(driver: String?, isForced: Bool)
    /// Gives it back to the host: to this driver, or to the one the kernel finds.
    case unbind(driver: String?, isForced: Bool)
    /// Makes a physical function have this many virtual ones.
    ///
    /// `isProbed` says whether drivers of the host are looked for on those that come; nil leaves
    /// that as it is.
    case virtualFunctions(count: Int, isProbed: Bool?, isForced: Bool)
    /// Removes a mediated device.
    case removal

    /// The same with the driver that is meant when none is named, for a device that is as told.
    package func resolved(for record: DeviceRecord) -> Self {
        guard case .bind(nil, let isForced) = self, let driver = record.candidate?.driver else {
            return self
        }
        return .bind(driver: driver, isForced: isForced)
    }

    /// Why the device is to itself meanwhile.
    package var reason: String {
        switch self {
        case .bind: "it is being bound"
        case .unbind: "it is being unbound"
        case .virtualFunctions: "its virtual functions are being changed"
        case .removal: "it is being removed"
        }
    }
}

/// A type of mediated devices that a parent can make.
package struct MediatedType: Hashable, Sendable {
    /// The parent by the name of its directory: what ``MediatedRequest`` names.
    package let parent: String
    /// The type's directory: `mtty-2`.
    package let type: String
    /// The type's name for people.
    package var name: String?
    /// What kind of device it makes: `vfio-pci`, `vfio-ccw`, ….
    package var deviceAPI: String?
    /// How many more can be made; nil when the parent does not say.
    package var availableCount: Int?
    package var description: String?

    package init(parent: String, type: String) {
        self.parent = parent
        self.type = type
    }
}

/// A mediated device that is to be made.
package struct MediatedRequest: Hashable, Sendable, Codable {
    package let parent: String
    package let type: String
    /// In lower case, with its hyphens.
    package let uuid: String

    /// The name the device will have, unless its type makes it another kind of device.
    package var device: DeviceID? { DeviceID("mdev-\(uuid)") }

    /// Nil when the text is no UUID.
    package init?(parent: String, type: String, uuid: String) {
        guard let uuid = Self.canonical(uuid) else { return nil }
        self.parent = parent
        self.type = type
        self.uuid = uuid
    }

    /// A device of a name of its own: a random UUID (RFC 9562, version 4).
    package init(parent: String, type: String) {
        var bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max) }
        bytes[6] = bytes[6] & 0x0F | 0x40
        bytes[8] = bytes[8] & 0x3F | 0x80
        let digits = bytes.map { byte in
            let text = String(byte, radix: 16)
            return text.utf8.count == 1 ? "0\(text)" : text
        }
        self.parent = parent
        self.type = type
        self.uuid = [0..<4, 4..<6, 6..<8, 8..<10, 10..<16]
            .map { digits[$0].joined() }.joined(separator: "-")
    }

    /// A UUID as the kernel writes it; nil for a text that is none.
    package static func canonical(_ text: String) -> String? {
        let parts = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        let isDigit = { (byte: UInt8) in
            Unicode.Scalar(byte).properties.isASCIIHexDigit
        }
        guard parts.map(\.count) == [8, 4, 4, 4, 12],
            parts.allSatisfy({ $0.allSatisfy(isDigit) })
        else { return nil }
        return text.lowercased()
    }
}
