/// What a PCI function's directory tells beside its ids.
package struct PCIFacts: Hashable, Sendable {
    /// Base class, subclass and interface: `0x010802`.
    package var classCode: UInt32?
    /// `D0`, `D3hot`, …: the kernel's own word.
    package var powerState: String?
    /// How the kernel would reset it, the first one first: `flr`, `bus`, ….
    package var resetMethods: [String] = []
    package var role = Role.plain

    /// Its place in SR-IOV.
    package enum Role: Hashable, Sendable {
        case plain
        /// A function that can have virtual ones: how many, and those it has.
        case physical(limit: Int, functions: [String])
        /// A virtual function, and the address of its physical one.
        case virtual(of: String)
    }

    package init() {}

    /// The physical function of a virtual one.
    package var physicalFunction: String? {
        guard case .virtual(let physical) = role else { return nil }
        return physical
    }
}

/// What VFIO gets as a whole or not at all: the devices of an IOMMU group.
package struct IsolationFacts: Hashable, Sendable {
    /// The kernel's word for the group's domain: `DMA-FQ`, `identity`, `unknown`.
    package let kind: String?
    /// The other devices of the group.
    package let siblings: [Sibling]

    package struct Sibling: Hashable, Sendable {
        package let address: String
        package let driver: String?
        /// Whether its driver owns the DMA of the group, so that VFIO cannot have the others.
        package let isBlocking: Bool

        package init(address: String, driver: String?, isBlocking: Bool) {
            self.address = address
            self.driver = driver
            self.isBlocking = isBlocking
        }
    }

    package init(kind: String?, siblings: [Sibling]) {
        self.kind = kind
        self.siblings = siblings
    }

    /// Whether VFIO may have the group: no other device's driver owns its DMA.
    package var isViable: Bool { !siblings.contains { $0.isBlocking } }
}

/// What the parent of an mdev tells of it.
package struct MediatedFacts: Hashable, Sendable {
    /// The parent by the name of its directory.
    package let parent: String
    /// The type's directory: `mtty-2`, `vfio_ccw-io`.
    package let type: String?
    /// The type's name for people.
    package let typeName: String?

    package init(parent: String, type: String?, typeName: String?) {
        self.parent = parent
        self.type = type
        self.typeName = typeName
    }
}

/// A channel subsystem's subchannel (s390).
package struct SubchannelFacts: Hashable, Sendable {
    /// `0.0.0000`.
    package let address: String
    /// The device number behind it: `0.0.1234`; nil when there is none.
    package let deviceNumber: String?
    /// The channel paths that lead to the device: `40`.
    package let paths: [String]
    /// Path masks, one bit a path, the first one the highest: installed, available, operational.
    package let installedMask: UInt8
    package let availableMask: UInt8
    package let operationalMask: UInt8

    package init(
        address: String,
        deviceNumber: String?,
        paths: [String],
        installedMask: UInt8,
        availableMask: UInt8,
        operationalMask: UInt8
    ) {
        self.address = address
        self.deviceNumber = deviceNumber
        self.paths = paths
        self.installedMask = installedMask
        self.availableMask = availableMask
        self.operationalMask = operationalMask
    }
}

/// The crypto queues an AP matrix gives its user (s390).
package struct MatrixFacts: Hashable, Sendable {
    /// `05.0004`: adapter and domain; one that is assigned without the other lacks it (`.0004`).
    package let queues: [String]
    /// Those of them the user really sees now.
    package let guestQueues: [String]
    package let controlDomains: [String]

    package init(queues: [String], guestQueues: [String], controlDomains: [String]) {
        self.queues = queues
        self.guestQueues = guestQueues
        self.controlDomains = controlDomains
    }
}

/// What the path of a vfio-user device leads to, as its directory shows it.
package enum SocketFacts: Hashable, Sendable {
    /// A socket; whether anybody listens is not asked.
    case present(permissions: UInt32, owner: UInt32, group: UInt32)
    case missing
    /// Something that is no socket, a symbolic link among them.
    case notASocket
    /// Nobody can tell: a directory on the way may not be searched, or fails.
    case unreadable(Errno)

    package var name: String {
        switch self {
        case .present: "present"
        case .missing: "missing"
        case .notASocket: "not_a_socket"
        case .unreadable: "unreadable"
        }
    }
}

/// A device that VFIO could have and does not have yet.
package struct CandidateFacts: Hashable, Sendable {
    package let kind: Kind
    /// The driver that fits it best.
    package let driver: String
    /// What is still to be done before Ferry can use it, in order.
    ///
    /// Empty for a device that the host keeps.
    package let steps: [String]

    /// What the host has it for.
    package enum Kind: String, CaseIterable, Hashable, Sendable {
        /// It is meant for VFIO, or nobody uses it.
        case available
        /// A physical function of the host's that can have virtual ones.
        case parent
        /// The host uses it: it is found by its id and never listed.
        case host
    }

    package init(kind: Kind = .available, driver: String, steps: [String]) {
        self.kind = kind
        self.driver = driver
        self.steps = steps
    }
}

/// What the system's list of hardware calls a device.
package struct HardwareNames: Hashable, Sendable {
    package var vendor: String?
    package var device: String?
    package var deviceClass: String?

    package init(vendor: String? = nil, device: String? = nil, deviceClass: String? = nil) {
        self.vendor = vendor
        self.device = device
        self.deviceClass = deviceClass
    }
}

/// How it is known what a device can do for a migration.
package enum SupportSource: Hashable, Sendable {
    /// The device itself answered, then.
    case probe(at: Timestamp)
    /// debugfs shows whether the driver has migration; it does not show the flags.
    case debugfs
    /// What is known of the driver, and of no device.
    case inferred

    package var name: String {
        switch self {
        case .probe: "probe"
        case .debugfs: "debugfs"
        case .inferred: "inferred"
        }
    }
}
