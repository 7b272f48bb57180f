/// The `uevent` attribute of a device: what the kernel tells udev of it, by one read.
struct SysfsUevent: Sendable {
    private let values: [Substring: Substring]

    init(_ text: String) {
        var values: [Substring: Substring] = [:]
        for line in text.split(separator: "\n") {
            guard let equals = line.firstIndex(of: "=") else { continue }
            values[line[..<equals]] = line[line.index(after: equals)...]
        }
        self.values = values
    }

    var driver: String? { values["DRIVER"].map(String.init) }
    var modalias: String? { values["MODALIAS"].map(String.init) }
    var pciClass: UInt32? { values["PCI_CLASS"].flatMap { UInt32($0, radix: 16) } }
    var pciID: (vendor: UInt32, device: UInt32)? { pair("PCI_ID") }
    var pciSubsystemID: (vendor: UInt32, device: UInt32)? { pair("PCI_SUBSYS_ID") }

    /// `15B3:101E`.
    private func pair(_ key: Substring) -> (vendor: UInt32, device: UInt32)? {
        guard let parts = values[key]?.split(separator: ":"), parts.count == 2,
            let vendor = UInt32(parts[0], radix: 16), let device = UInt32(parts[1], radix: 16)
        else { return nil }
        return (vendor, device)
    }
}
