/// What kind of device it is to VFIO: the device API it offers, not the bus it sits on.
///
/// Source: the `VFIO_DEVICE_FLAGS_*` of `struct vfio_device_info`; an mdev may offer PCI, CCW or AP.
package enum DeviceKind: String, CaseIterable, Hashable, Sendable, Codable {
    case pci
    case platform
    case amba
    case ccw
    case ap
    case fslMC = "fsl_mc"
    case cdx

    /// The steps of the one general flow that mean something for this kind.
    ///
    /// A step that is missing here is a no-op and left out; no kind gives a state another meaning.
    package var steps: Set<FlowStep> {
        switch self {
        case .pci, .platform, .amba, .fslMC, .cdx: Set(FlowStep.allCases)
        // No MMIO and no peer DMA; a few hundred bytes that a pre-copy would only send twice.
        case .ccw: [.stop, .stopCopy, .resume]
        // Firmware runs the guest's instructions: configuration moves, and no bytes.
        case .ap: [.stop]
        }
    }

    /// The flags of a device as the flow of its kind makes use of them.
    package func usable(_ flags: MigrationFlags) -> MigrationFlags {
        var usable = flags
        if !steps.contains(.preCopy) { usable.remove(.preCopy) }
        if !steps.contains(.p2pGrace) { usable.remove(.p2p) }
        if !steps.contains(.stopCopy) { usable.remove(.stopCopy) }
        return usable
    }
}

/// The steps of the general migration flow that a kind of device may lack.
package enum FlowStep: CaseIterable, Hashable, Sendable {
    /// State is sent while the device runs.
    case preCopy
    /// No device of the set sends DMA to another while the others still may.
    case p2pGrace
    /// The device is made to stop.
    case stop
    /// The state is read out of the stopped device.
    case stopCopy
    /// The state is written into a device.
    case resume
}
