import MigrationCore
import SystemIO
import Testing

@testable import VFIODevices

@Suite("What the host needs a device for")
struct HostUseTests {
    private let device = "sys/devices/pci0000:00/0000:00:04.0"
    private let tree: SysfsTree

    init() throws {
        tree = try SysfsTree()
        try tree.directory(device)
        try tree.link("proc/self", "1")
    }

    private func reasons(_ mounts: String = "", swaps: String = "") throws -> [String] {
        try tree.file("proc/1/mountinfo", mounts)
        try tree.file("proc/swaps", "Filename\tType\tSize\n\(swaps)")
        return HostUse(try ConfinedTree(root: tree.root)).reasons(device)
    }

    private func block(_ name: String, _ number: String, at path: String) throws {
        try tree.directory(path)
        try tree.link("sys/dev/block/\(number)", "../../../\(path)")
        try tree.link("sys/class/block/\(name)", "../../../\(path)")
    }

    @Test("nothing, when nothing of it is in use")
    func nothing() throws {
        try block("nvme0n1", "259:0", at: "\(device)/nvme/nvme0/nvme0n1")
        try tree.directory("\(device)/net/eth0")
        try tree.file("\(device)/net/eth0/flags", "0x1002")
        try tree.link("sys/class/net/eth0", "../../../\(device)/net/eth0")
        try block("sda", "8:0", at: "sys/devices/pci0000:00/0000:00:05.0/block/sda")
        let mounts = "22 1 8:0 / / rw - ext4 /dev/sda rw\n23 1 0:5 / /dev rw - devtmpfs dev rw"
        #expect(try reasons(mounts) == [])
    }

    @Test("a mounted disk, and swap space")
    func disk() throws {
        try block("nvme0n1p2", "259:2", at: "\(device)/nvme/nvme0/nvme0n1/nvme0n1p2")
        try block("nvme0n1p3", "259:3", at: "\(device)/nvme/nvme0/nvme0n1/nvme0n1p3")
        #expect(
            try reasons(
                "22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw",
                swaps: "/dev/nvme0n1p3 partition 8388604"
            ) == [
                "The file system at / is on its disk nvme0n1p2.",
                "Swap space is on its disk nvme0n1p3.",
            ]
        )
    }

    @Test("a disk below a volume that is below another one")
    func volumes() throws {
        try block("sda2", "8:2", at: "\(device)/host0/block/sda/sda2")
        try block("dm-0", "254:0", at: "sys/devices/virtual/block/dm-0")
        try block("dm-1", "254:1", at: "sys/devices/virtual/block/dm-1")
        try tree.link("sys/devices/virtual/block/dm-1/slaves/dm-0", "../../dm-0")
        try tree.link(
            "sys/devices/virtual/block/dm-0/slaves/sda2",
            "../../../../../../\(device)/host0/block/sda/sda2"
        )
        #expect(
            try reasons("30 1 254:1 / /home rw - ext4 /dev/mapper/home rw")
                == ["The file system at /home is on its disk sda2."]
        )
    }

    @Test("volumes that are made of each other end the search")
    func loop() throws {
        try block("dm-0", "254:0", at: "sys/devices/virtual/block/dm-0")
        try block("dm-1", "254:1", at: "sys/devices/virtual/block/dm-1")
        try tree.link("sys/devices/virtual/block/dm-1/slaves/dm-0", "../../dm-0")
        try tree.link("sys/devices/virtual/block/dm-0/slaves/dm-1", "../../dm-1")
        #expect(try reasons("30 1 254:1 / / rw - ext4 /dev/dm-1 rw") == [])
    }

    @Test("a namespace that several controllers lead to, and a file system over several disks")
    func shared() throws {
        let subsystem = "sys/devices/virtual/nvme-subsystem/nvme-subsys0"
        try tree.directory("\(device)/nvme/nvme3")
        try block("nvme0n1p1", "259:1", at: "\(subsystem)/nvme0n1/nvme0n1p1")
        try tree.file("\(subsystem)/nvme0n1/nvme0n1p1/partition", "1")
        try tree.link("\(subsystem)/nvme3", "../../../../../\(device)/nvme/nvme3")
        let reason = "is on its disk nvme3."
        #expect(try reasons("9 1 259:1 / / rw - ext4 x rw").first?.hasSuffix(reason) == true)
        #expect(
            try reasons("9 1 0:33 / /data rw - btrfs /dev/nvme0n1p1 rw")
                == ["The file system at /data \(reason)"]
        )
    }

    @Test("a network interface that is up, also one on a virtio device below it")
    func network() throws {
        for (name, path) in [("eth0", "\(device)/net/eth0"), ("v", "\(device)/virtio3/net/v")] {
            try tree.file("\(path)/flags", "0x1003")
            try tree.link("sys/class/net/\(name)", "../../../\(path)")
        }
        #expect(
            try reasons()
                == ["Its network interface eth0 is up.", "Its network interface v is up."]
        )
    }

    @Test("the console, be it a graphics card or a serial line")
    func consoles() throws {
        try tree.file("\(device)/boot_vga", "1")
        try tree.file("sys/class/tty/console/active", "tty0 ttyS1")
        try tree.link("sys/class/tty/ttyS1", "../../../\(device)/tty/ttyS1")
        #expect(
            try reasons() == [
                "It is the graphics card of the host's console.",
                "The host's console ttyS1 is on it.",
            ]
        )
    }

    @Test("a device of the host's wants force to be bound, and every reason is told")
    func force() throws {
        let host = try BindableHost()
        let path = "sys/devices/\(BindableHost.address)"
        try host.tree.file("\(path)/boot_vga", "1")
        try host.tree.file("\(path)/net/eth0/flags", "0x1043")
        try host.tree.link("sys/class/net/eth0", "../../../\(path)/net/eth0")
        let problem = try host.refusal(.bind(driver: nil, isForced: false))
        #expect(problem.code == .forceRequired)
        #expect(problem.facts.reasons?.count == 2)
        try host.make(.bind(driver: nil, isForced: true))
        #expect(host.kernel.driver(of: BindableHost.address) == "vfio-pci")
    }
}
