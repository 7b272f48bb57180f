internal import MigrationCore

/// What else can keep a device from being opened by its group.
extension OpenDiagnosis {
    static func heldByOurselves(_ device: DeviceID) -> Problem {
        Problem(
            .deviceBusy,
            "\(device) is in use: ferryd itself has it open.",
            Problem.Facts(device: device)
        )
    }

    /// The group has a device that is not VFIO's.
    static func notViable(_ device: DeviceID, _ around: OpenSurroundings) -> Problem {
        var problem = ownership(device, around)
        problem.facts.device = device
        problem.facts.operation = KernelFault.Operation.groupStatus.rawValue
        return problem
    }

    static func noType1(_ device: DeviceID) -> Problem {
        let facts = Problem.Facts(
            device: device,
            operation: KernelFault.Operation.checkExtension.rawValue
        )
        return Problem(
            .deviceFailed,
            "The kernel's VFIO containers have no IOMMU of type 1 v2 for \(device): the module "
                + "vfio_iommu_type1 is not loaded, or this machine has another kind.",
            facts
        )
    }

    static func otherContainer(_ device: DeviceID) -> Problem {
        Problem(
            .incompatible,
            "\(device) cannot join the address space of the other device: another session has its "
                + "IOMMU group open in another container.",
            Problem.Facts(device: device)
        )
    }

    /// A group that was handed in, and is in no container with an IOMMU.
    static func withoutContainer(_ fault: KernelFault, _ device: DeviceID) -> Problem {
        let facts = Problem.Facts(
            device: device,
            operation: fault.operation.rawValue,
            errno: fault.errno
        )
        return Problem(
            .invalidField,
            "The IOMMU group of \(device) is open, but in no container with an IOMMU.",
            facts
        )
    }

    /// EBUSY of a group: it is open, or one of its devices is by its character device.
    static func openGroup(_ device: DeviceID, _ around: OpenSurroundings) -> Problem {
        if around.isHeldByOurselves { return heldByOurselves(device) }
        var holders = around.holders
        for holder in around.siblingHolders where !holders.contains(holder) {
            holders.append(holder)
        }
        return .busy("\(device) is in use through its IOMMU group", by: holders)
    }
}
