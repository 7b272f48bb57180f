import Foundation

/// A made-up sysfs: what a host with many virtual functions bound to VFIO drivers shows.
struct SysfsTree {
    private let root: String

    init(_ root: String) { self.root = root }

    /// Virtual functions of one driver, each in an IOMMU group of its own.
    func addVirtualFunctions(_ count: Int) throws {
        try directory("sys/bus/pci/devices")
        try directory("sys/bus/pci/drivers/mlx5_vfio_pci")
        try directory("sys/class/vfio-dev")
        try directory("sys/class/vfio")
        for number in 0..<count {
            let name = String(
                format: "0000:%02x:%02x.%x",
                0x41 + number / 256,
                number % 256 / 8,
                number % 8
            )
            try addFunction(name, number)
        }
    }

    private func addFunction(_ name: String, _ number: Int) throws {
        let device = "sys/devices/pci0000:40/0000:40:01.0/\(name)"
        try directory("\(device)/vfio-dev/vfio\(number)")
        try text(Self.uevent(name), "\(device)/uevent")
        try text("0\n", "\(device)/numa_node")
        try text("D0\n", "\(device)/power_state")
        try text("flr bus\n", "\(device)/reset_method")
        try link("../0000:41:00.0", "\(device)/physfn")
        try text("510:\(number)\n", "\(device)/vfio-dev/vfio\(number)/dev")
        try link("../../../../bus/pci", "\(device)/subsystem")
        try link("../../../../bus/pci/drivers/mlx5_vfio_pci", "\(device)/driver")
        try link("../../../../kernel/iommu_groups/\(number)", "\(device)/iommu_group")
        try directory("sys/kernel/iommu_groups/\(number)/devices")
        try text("DMA-FQ\n", "sys/kernel/iommu_groups/\(number)/type")
        try link(
            "../../../../devices/pci0000:40/0000:40:01.0/\(name)",
            "sys/kernel/iommu_groups/\(number)/devices/\(name)"
        )
        try link(
            "../../../devices/pci0000:40/0000:40:01.0/\(name)",
            "sys/bus/pci/devices/\(name)"
        )
        try link(
            "../../devices/pci0000:40/0000:40:01.0/\(name)/vfio-dev/vfio\(number)",
            "sys/class/vfio-dev/vfio\(number)"
        )
        try link("../../devices/virtual/vfio/\(number)", "sys/class/vfio/\(number)")
    }

    private static func uevent(_ name: String) -> String {
        """
        DRIVER=mlx5_vfio_pci
        PCI_CLASS=20000
        PCI_ID=15B3:101E
        PCI_SUBSYS_ID=15B3:0023
        PCI_SLOT_NAME=\(name)
        MODALIAS=pci:v000015B3d0000101Esv000015B3sd00000023bc02sc00i00

        """
    }

    private func directory(_ path: String) throws {
        try FileManager.default.createDirectory(
            atPath: root + "/" + path,
            withIntermediateDirectories: true
        )
    }

    private func text(_ text: String, _ path: String) throws {
        try text.write(toFile: root + "/" + path, atomically: false, encoding: .utf8)
    }

    private func link(_ target: String, _ path: String) throws {
        try FileManager.default.createSymbolicLink(
            atPath: root + "/" + path,
            withDestinationPath: target
        )
    }
}
