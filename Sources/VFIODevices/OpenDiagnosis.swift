internal import MigrationCore

/// What is known around a device whose opening failed.
struct OpenSurroundings: Sendable {
    /// Processes that have the device's own nodes open.
    var holders: [Problem.Holder] = []
    /// Whether ferryd itself has them open: in another session.
    var isHeldByOurselves = false
    /// Group siblings whose host drivers keep the group from VFIO: `0000:01:00.0 (nvme)`.
    var blockingSiblings: [String] = []
    /// Processes that have siblings' nodes open.
    var siblingHolders: [Problem.Holder] = []
    /// Whether the device was to join another one's address space.
    var isJoining = false
}

/// Turns the errno of an opening into a problem somebody can act on.
///
/// Pure.
enum OpenDiagnosis {
    static func problem(
        _ fault: KernelFault,
        on device: DeviceID,
        _ around: OpenSurroundings = OpenSurroundings()
    ) -> Problem {
        var problem = specific(fault, on: device, around) ?? general(fault, on: device)
        problem.facts.device = device
        problem.facts.operation = fault.operation.rawValue
        problem.facts.errno = fault.errno
        return problem
    }

    /// A device that could not be looked for.
    static func exhausted(_ errno: Errno, _ facts: Problem.Facts) -> Problem {
        var facts = facts
        facts.operation = "open"
        facts.errno = errno
        return Problem(.overloaded, "ferryd cannot read sysfs: \(errno.name).", facts)
    }

    /// A device whose migration flags say nothing this version can act on.
    static func meaningless(_ flags: MigrationFlags, _ device: DeviceID) -> Problem {
        var facts = Problem.Facts(
            device: device,
            operation: KernelFault.Operation.migration.rawValue
        )
        facts.reasons = ["migration flags \(flags.names.joined(separator: ", "))"]
        return Problem(
            .notMigratable,
            "\(device) answers migration flags 0x\(String(flags.rawValue, radix: 16)), "
                + "which have no meaning: a state stream takes stop_copy, alone or with p2p and "
                + "pre_copy.",
            facts
        )
    }

    /// What an errno means for one call alone.
    private static func specific(
        _ fault: KernelFault,
        on device: DeviceID,
        _ around: OpenSurroundings
    ) -> Problem? {
        switch (fault.operation, fault.errno) {
        case (.openIOMMU, .noEntry), (.openIOMMU, .noDevice), (.openIOMMU, .noSuchAddress):
            Problem(
                .deviceFailed,
                "This host has no iommufd: \(device) cannot be opened before the module iommufd "
                    + "is loaded, or the kernel has CONFIG_IOMMUFD."
            )
        case (.openContainer, .noEntry), (.openContainer, .noDevice),
            (.openContainer, .noSuchAddress):
            Problem(
                .deviceFailed,
                "This host has neither an iommufd nor VFIO containers: \(device) cannot be opened "
                    + "before the module vfio is loaded."
            )
        case (.openGroup, .noEntry):
            Problem(.deviceGone, "The IOMMU group of \(device) is gone.")
        case (.openGroup, .busy): openGroup(device, around)
        case (.setContainer, .perm), (.setIOMMU, .perm): ownership(device, around)
        case (.setContainer, .invalid), (.setContainer, .noDevice), (.setContainer, .addressInUse):
            around.isJoining ? cannotJoin(device, fault.errno) : nil
        case (.setIOMMU, .noDevice):
            Problem(
                .deviceFailed,
                "The kernel has no IOMMU of type 1 for \(device): the module vfio_iommu_type1 is "
                    + "not loaded."
            )
        case (.deviceFile, .access):
            Problem(
                .permissionDenied,
                "\(device) asks for a VF token, which Ferry does not have."
            )
        case (.openDevice, .noEntry):
            Problem(.deviceGone, "The character device of \(device) is gone.")
        case (.bind, .busy), (.bind, .invalid):
            around.isHeldByOurselves
                ? heldByOurselves(device)
                : .busy(
                    fault.errno == .busy
                        ? "\(device) is in use through its IOMMU group"
                        : "\(device) is bound elsewhere",
                    by: around.holders
                )
        case (.bind, .perm): ownership(device, around)
        case (.attach, .addressInUse), (.attach, .invalid):
            around.isJoining ? cannotJoin(device, fault.errno) : nil
        case (.attach, .busy):
            .busy("The address space of \(device) is being changed", by: around.holders)
        default: nil
        }
    }

    /// What an errno means for every call.
    private static func general(_ fault: KernelFault, on device: DeviceID) -> Problem {
        let call = "\(fault.operation.rawValue) of \(device) failed with \(fault.errno.name)"
        switch fault.errno {
        case .noDevice, .noSuchAddress:
            return Problem(.deviceGone, "\(device) is gone: \(call).")
        case .access, .perm:
            return Problem(
                .permissionDenied,
                "ferryd may not use \(device): \(call). The mode of the device's node, a security "
                    + "module or a device control group forbids it."
            )
        case .busy: return .busy("\(device) is in use", by: [])
        case .again:
            var problem = Problem(
                .deviceBusy,
                "The kernel could not lock \(device), which is being reset or removed."
            )
            problem.facts.retryAfterSeconds = 1
            return problem
        case .tooManyOpenFiles, .tooManyFiles:
            return Problem(.overloaded, "No file descriptor is left: \(call).")
        default:
            return Problem(.deviceFailed, call + ".")
        }
    }

    private static func cannotJoin(_ device: DeviceID, _ errno: Errno) -> Problem {
        Problem(
            .incompatible,
            "\(device) cannot join the address space of the other device: its reserved addresses "
                + "or its IOMMU do not fit (\(errno.name))."
        )
    }

    /// EPERM of BIND or SET_CONTAINER: somebody else owns the DMA of the group, or the platform is
    /// not safe.
    static func ownership(_ device: DeviceID, _ around: OpenSurroundings) -> Problem {
        if !around.blockingSiblings.isEmpty {
            var problem = Problem.busy(
                "\(device) shares its IOMMU group with devices on host drivers, "
                    + around.blockingSiblings.joined(separator: ", ")
                    + "; bind them to vfio-pci or to no driver",
                by: around.siblingHolders
            )
            problem.facts.reasons = around.blockingSiblings
            return problem
        }
        if !around.siblingHolders.isEmpty {
            return .busy(
                "Another device of the IOMMU group of \(device) is bound to another iommufd",
                by: around.siblingHolders
            )
        }
        if !around.holders.isEmpty { return .busy("\(device) is in use", by: around.holders) }
        return Problem(
            .permissionDenied,
            "The kernel refuses \(device): either another program owns the DMA of its IOMMU group, "
                + "and ferryd may not see it, or its interrupts are not isolated and the "
                + "parameter allow_unsafe_interrupts of iommufd or vfio_iommu_type1 is off."
        )
    }
}

extension Errno {
    static let noSuchAddress = Self(number: 6)
    static let addressInUse = Self(number: 98)
}
