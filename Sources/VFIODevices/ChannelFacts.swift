internal import MigrationCore
internal import SystemIO

/// Reads what the channel subsystem tells of a subchannel (s390).
enum SubchannelReader {
    /// The kernel shows eight paths, whether they are there or not.
    private static let pathCount = 8

    /// The facts of an open directory of a subchannel with the device of that number; nil when
    /// they make no sense.
    static func facts(
        of directory: borrowing Directory,
        _ name: String,
        deviceNumber: String
    ) -> SubchannelFacts? {
        guard let masks = masks(of: directory) else { return nil }
        let paths = (try? directory.text(of: "chpids", limit: 64)) ?? ""
        let present = paths.split(separator: " ").prefix(pathCount).enumerated()
            .filter { masks.installed & (0x80 >> UInt8($0.offset)) != 0 }
            .map { String($0.element) }
        return SubchannelFacts(
            address: name,
            // Without a device a subchannel has the name of something else.
            deviceNumber: deviceNumber.contains(".") ? deviceNumber : nil,
            paths: present,
            installedMask: masks.installed,
            availableMask: masks.available,
            operationalMask: masks.operational
        )
    }

    /// The number of the device behind a subchannel: an attribute while vfio_ccw has it, else the
    /// name of the device below it.
    static func deviceNumber(at path: String, _ tree: ConfinedTree) -> String? {
        if let number = tree.textIfAny("dev_busid", in: path) { return number }
        return tree.namesIfAny(in: path).first { name in
            let parts = name.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 3
                && parts.allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isHexDigit) }
        }
    }

    /// `80 80 ff`.
    private static func masks(
        of directory: borrowing Directory
    ) -> (installed: UInt8, available: UInt8, operational: UInt8)? {
        guard let text = try? directory.text(of: "pimpampom", limit: 64) else { return nil }
        let masks = text.split(separator: " ").compactMap { UInt8($0, radix: 16) }
        return masks.count == 3 ? (masks[0], masks[1], masks[2]) : nil
    }
}

extension MatrixFacts {
    private static let lineLimit = 256 * 256

    /// The facts of an open directory of a vfio_ap mdev.
    init(of directory: borrowing Directory) {
        self.init(
            queues: Self.lines(of: directory, "matrix"),
            guestQueues: Self.lines(of: directory, "guest_matrix"),
            controlDomains: Self.lines(of: directory, "control_domains")
        )
    }

    private static func lines(of directory: borrowing Directory, _ name: String) -> [String] {
        let text = try? directory.text(of: name)
        return text?.split(separator: "\n").prefix(lineLimit).map(String.init) ?? []
    }
}
