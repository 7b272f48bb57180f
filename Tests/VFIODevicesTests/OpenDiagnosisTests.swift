import MigrationCore
import Testing

@testable import VFIODevices

@Suite("What an errno of opening a device means")
struct OpenDiagnosisTests {
    private static let holder = Problem.Holder(pid: 4711, command: "qemu-system-x86", uid: 107)

    private func problem(
        _ operation: KernelFault.Operation,
        _ errno: Errno,
        _ around: OpenSurroundings = OpenSurroundings()
    ) throws -> Problem {
        OpenDiagnosis.problem(
            KernelFault(operation: operation, errno: errno),
            on: try id("pci-0000:41:00.3"),
            around
        )
    }

    struct Row: CustomTestStringConvertible, Sendable {
        let operation: KernelFault.Operation
        let errno: Errno
        let code: Problem.Code
        var testDescription: String { "\(operation.rawValue) \(errno.name)" }

        init(_ operation: KernelFault.Operation, _ errno: Errno, _ code: Problem.Code) {
            self.operation = operation
            self.errno = errno
            self.code = code
        }
    }

    @Test(
        "each call and errno has its code",
        arguments: [
            Row(.openIOMMU, .noEntry, .deviceFailed), Row(.openIOMMU, .noDevice, .deviceFailed),
            Row(.openIOMMU, .access, .permissionDenied),
            Row(.openDevice, .noEntry, .deviceGone), Row(.openDevice, .noDevice, .deviceGone),
            Row(.openDevice, .access, .permissionDenied),
            Row(.openDevice, .perm, .permissionDenied),
            Row(.openDevice, .tooManyOpenFiles, .overloaded),
            Row(.bind, .busy, .deviceBusy), Row(.bind, .invalid, .deviceBusy),
            Row(.bind, .perm, .permissionDenied), Row(.bind, .noDevice, .deviceGone),
            Row(.bind, .again, .deviceBusy), Row(.bind, .badDescriptor, .deviceFailed),
            Row(.allocate, .noMemory, .deviceFailed),
            Row(.attach, .busy, .deviceBusy), Row(.attach, .invalid, .deviceFailed),
            Row(.information, .io, .deviceFailed), Row(.migration, .notConnected, .deviceFailed),
            Row(.migration, .noDevice, .deviceGone),
            Row(.openContainer, .noEntry, .deviceFailed),
            Row(.openContainer, .noDevice, .deviceFailed),
            Row(.openContainer, .access, .permissionDenied),
            Row(.openGroup, .noEntry, .deviceGone), Row(.openGroup, .noDevice, .deviceGone),
            Row(.openGroup, .busy, .deviceBusy), Row(.openGroup, .perm, .permissionDenied),
            Row(.groupStatus, .noDevice, .deviceGone),
            Row(.setContainer, .perm, .permissionDenied), Row(.setContainer, .busy, .deviceBusy),
            Row(.setContainer, .invalid, .deviceFailed),
            Row(.setIOMMU, .noDevice, .deviceFailed), Row(.setIOMMU, .perm, .permissionDenied),
            Row(.deviceFile, .noDevice, .deviceGone), Row(.deviceFile, .again, .deviceBusy),
            Row(.deviceFile, .access, .permissionDenied),
        ]
    )
    func table(row: Row) throws {
        let problem = try problem(row.operation, row.errno)
        #expect(problem.code == row.code)
        #expect(problem.facts.device?.text == "pci-0000:41:00.3")
        #expect(problem.facts.operation == row.operation.rawValue)
        #expect(problem.facts.errno == row.errno)
        #expect(problem.detail.contains("pci-0000:41:00.3"))
    }

    @Test("a busy device names its holders", arguments: [Errno.busy, .invalid])
    func holders(errno: Errno) throws {
        let problem = try problem(.bind, errno, OpenSurroundings(holders: [Self.holder]))
        #expect(problem.code == .deviceBusy)
        #expect(problem.facts.holders == [Self.holder])
        #expect(problem.detail.contains("qemu-system-x86 (process 4711)"))
    }

    @Test("a device that ferryd itself has open says so", arguments: [Errno.busy, .invalid])
    func ourselves(errno: Errno) throws {
        let problem = try problem(.bind, errno, OpenSurroundings(isHeldByOurselves: true))
        #expect(problem.code == .deviceBusy)
        #expect(problem.detail.contains("ferryd itself"))
    }

    @Test("a sibling on a host driver is named before anything else is guessed")
    func sibling() throws {
        let problem = try problem(
            .bind,
            .perm,
            OpenSurroundings(holders: [Self.holder], blockingSiblings: ["0000:41:00.0 (mlx5_core)"])
        )
        #expect(problem.code == .deviceBusy)
        #expect(problem.detail.contains("0000:41:00.0 (mlx5_core)"))
        #expect(problem.facts.reasons == ["0000:41:00.0 (mlx5_core)"])
    }

    @Test("a sibling bound to another iommufd is busy, with that one's holder")
    func siblingHolder() throws {
        let problem = try problem(.bind, .perm, OpenSurroundings(siblingHolders: [Self.holder]))
        #expect(problem.code == .deviceBusy)
        #expect(problem.facts.holders == [Self.holder])
    }

    @Test(
        "devices that cannot share an address space are incompatible",
        arguments: [Errno.invalid, .addressInUse]
    )
    func joining(errno: Errno) throws {
        let problem = try problem(.attach, errno, OpenSurroundings(isJoining: true))
        #expect(problem.code == .incompatible)
    }

    @Test(
        "a group that cannot join another's container is incompatible",
        arguments: [Errno.invalid, .noDevice, .addressInUse]
    )
    func joiningGroup(errno: Errno) throws {
        let problem = try problem(.setContainer, errno, OpenSurroundings(isJoining: true))
        #expect(problem.code == .incompatible)
    }

    @Test("an open group names who has it, or a device of it, and each of them once")
    func groupHolders() throws {
        let other = Problem.Holder(pid: 4712, command: "other", uid: 0)
        let around = OpenSurroundings(
            holders: [Self.holder],
            siblingHolders: [Self.holder, other]
        )
        let problem = try problem(.openGroup, .busy, around)
        #expect(problem.facts.holders == [Self.holder, other])
        let own = try self.problem(.openGroup, .busy, OpenSurroundings(isHeldByOurselves: true))
        #expect(own.detail.contains("ferryd itself"))
    }

    @Test("a group that is not viable names the sibling, with device and call")
    func notViable() throws {
        let problem = OpenDiagnosis.notViable(
            try id("pci-0000:41:00.3"),
            OpenSurroundings(blockingSiblings: ["0000:41:00.0 (mlx5_core)"])
        )
        #expect(problem.code == .deviceBusy)
        #expect(problem.facts.reasons == ["0000:41:00.0 (mlx5_core)"])
        #expect(problem.facts.device?.text == "pci-0000:41:00.3")
        #expect(problem.facts.operation == "VFIO_GROUP_GET_STATUS")
    }

    @Test("a contended lock says when to try again")
    func contended() throws {
        #expect(try problem(.bind, .again).facts.retryAfterSeconds == 1)
    }

    @Test("a command with control characters does not reach the text")
    func command() throws {
        let holder = Problem.Holder(pid: 1, command: "a\u{1b}[31m\nb", uid: 0)
        let problem = try problem(.bind, .busy, OpenSurroundings(holders: [holder]))
        #expect(problem.detail.contains("a?[31m?b (process 1)"))
    }

    @Test("only the four sets of flags the uAPI defines make a state stream")
    func flags() throws {
        for raw: UInt64 in 0..<16 {
            let flags = MigrationFlags(rawValue: raw)
            if [1, 3, 5, 7].contains(raw) {
                #expect(try KernelSession.migrationSupport(flags) == .stateStream(flags))
            } else {
                #expect(throws: SessionRefusal.meaningless(flags)) {
                    try KernelSession.migrationSupport(flags)
                }
                let problem = OpenDiagnosis.meaningless(flags, try id("sim-0"))
                #expect(problem.code == .notMigratable)
                #expect(problem.facts.reasons?.count == 1)
            }
        }
        #expect(try KernelSession.migrationSupport(nil) == .none)
    }
}
