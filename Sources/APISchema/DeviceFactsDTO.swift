/// The isolation set of a device, its IOMMU group: VFIO gets all of it or nothing.
package struct IsolationDTO: Hashable, Sendable, Codable {
    /// The kernel's word for the group's domain.
    package let type: String?
    /// Whether no other device's driver owns the DMA of the group.
    package let viable: Bool
    /// The other devices of the group.
    package let siblings: [GroupSiblingDTO]

    package init(type: String?, viable: Bool, siblings: [GroupSiblingDTO]) {
        self.type = type
        self.viable = viable
        self.siblings = siblings
    }
}

/// Another device of an IOMMU group.
package struct GroupSiblingDTO: Hashable, Sendable, Codable {
    package let address: String
    package let driver: String?
    /// Whether its driver keeps the group from VFIO.
    package let blocking: Bool

    package init(address: String, driver: String?, blocking: Bool) {
        self.address = address
        self.driver = driver
        self.blocking = blocking
    }
}

/// What a PCI function is beside its ids.
package struct PCIFactsDTO: Hashable, Sendable, Codable {
    /// `0x010802`: base class, subclass and interface.
    package var classCode: String?
    package var className: String?
    package var powerState: String?
    /// How the kernel would reset it, the first one first.
    package let resetMethods: [String]
    /// The physical function of a virtual one.
    package var physicalFunction: String?
    /// The virtual functions of a physical one.
    package var virtualFunctions: [String]?
    /// How many virtual functions a physical one can have.
    package var virtualFunctionsLimit: Int?

    package init(resetMethods: [String]) { self.resetMethods = resetMethods }
}

/// What the parent of an mdev tells of it.
package struct MediatedFactsDTO: Hashable, Sendable, Codable {
    package let parent: String
    package let type: String?
    package let typeName: String?

    package init(parent: String, type: String?, typeName: String?) {
        self.parent = parent
        self.type = type
        self.typeName = typeName
    }
}

/// A channel subsystem's subchannel (s390).
package struct SubchannelFactsDTO: Hashable, Sendable, Codable {
    package let subchannel: String
    package let deviceNumber: String?
    /// The channel paths that are installed.
    package let channelPaths: [String]
    /// Path masks in hexadecimal, the first path the highest bit.
    package let installedMask: String
    package let availableMask: String
    package let operationalMask: String

    package init(
        subchannel: String,
        deviceNumber: String?,
        channelPaths: [String],
        installedMask: String,
        availableMask: String,
        operationalMask: String
    ) {
        self.subchannel = subchannel
        self.deviceNumber = deviceNumber
        self.channelPaths = channelPaths
        self.installedMask = installedMask
        self.availableMask = availableMask
        self.operationalMask = operationalMask
    }
}

/// The crypto queues an AP matrix gives its user (s390).
package struct MatrixFactsDTO: Hashable, Sendable, Codable {
    /// `05.0004`: adapter and domain; one assigned without the other lacks it.
    package let queues: [String]
    /// Those the user really sees now.
    package let guestQueues: [String]
    package let controlDomains: [String]

    package init(queues: [String], guestQueues: [String], controlDomains: [String]) {
        self.queues = queues
        self.guestQueues = guestQueues
        self.controlDomains = controlDomains
    }
}

/// What the path of a vfio-user device leads to.
package struct SocketFactsDTO: Hashable, Sendable, Codable {
    /// `present`, `missing`, `not_a_socket` or `unreadable`.
    package let socket: String
    /// `0660`: who may connect, in octal; of a socket only, as are its owners.
    package var mode: String?
    package var uid: UInt32?
    package var gid: UInt32?
    /// Why nobody can tell.
    package var errno: String?

    package init(socket: String) { self.socket = socket }
}

/// What keeps VFIO from a device that it could have.
package struct CandidateDTO: Hashable, Sendable, Codable {
    /// `available`, `parent` or `host`.
    package let kind: String
    /// The driver that fits it best.
    package let driver: String
    /// What is still to be done, in order.
    package let steps: [String]

    package init(kind: String, driver: String, steps: [String]) {
        self.kind = kind
        self.driver = driver
        self.steps = steps
    }
}
