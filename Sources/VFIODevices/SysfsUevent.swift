/// The `uevent` attribute of a device: what the kernel tells udev of it, by one read.
struct SysfsUevent: Sendable {
    private(set) var driver: String?
    private(set) var modalias: String?
    private(set) var pciClass: UInt32?
    private(set) var pciID: (vendor: UInt32, device: UInt32)?
    private(set) var pciSubsystemID: (vendor: UInt32, device: UInt32)?

    init(_ text: String) {
        for line in text.utf8.split(separator: UInt8(ascii: "\n")) {
            guard let equals = line.firstIndex(of: UInt8(ascii: "=")) else { continue }
            let value = Substring(line[line.index(after: equals)...])
            switch Substring(line[..<equals]) {
            case "DRIVER": driver = String(value)
            case "MODALIAS": modalias = String(value)
            case "PCI_CLASS": pciClass = UInt32(value, radix: 16)
            case "PCI_ID": pciID = Self.pair(value)
            case "PCI_SUBSYS_ID": pciSubsystemID = Self.pair(value)
            default: break
            }
        }
    }

    /// `15B3:101E`.
    private static func pair(_ text: Substring) -> (vendor: UInt32, device: UInt32)? {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"))
        guard parts.count == 2, let vendor = UInt32(Substring(parts[0]), radix: 16),
            let device = UInt32(Substring(parts[1]), radix: 16)
        else { return nil }
        return (vendor, device)
    }
}
