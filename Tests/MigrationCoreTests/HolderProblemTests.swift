import MigrationCore
import Testing

@Suite("What is said of a device that others have")
struct HolderProblemTests {
    private let qemu = Problem.Holder(pid: 4711, command: "qemu", uid: 107)
    private let systemd = Problem.Holder(
        pid: 1,
        command: "systemd",
        uid: 0,
        isDescriptorStore: true
    )

    @Test("every holder is named, and what to do about a program is said")
    func program() throws {
        let device = try #require(DeviceID("pci-0000:41:00.3"))
        let problem = Problem.inUse(device, by: [qemu, systemd])
        #expect(problem.code == .deviceBusy)
        #expect(problem.facts.device == device)
        #expect(problem.facts.holders == [qemu, systemd])
        #expect(
            problem.detail
                == "pci-0000:41:00.3 is in use, by qemu (process 4711), systemd (process "
                + "1). Stop that program, or have it hand the device in over the workload socket."
        )
    }

    @Test("a service manager alone hands nothing in: its store is to be cleaned")
    func manager() {
        let problem = Problem.busy("It is in use", by: [systemd])
        #expect(problem.detail.contains("--what=fdstore"))
        #expect(!problem.detail.contains("workload socket"))
    }

    @Test("a holder that nobody sees has no name, and no list")
    func unseen() {
        let problem = Problem.busy("It is in use", by: [])
        #expect(problem.code == .deviceBusy)
        #expect(problem.facts.holders == nil)
    }
}
