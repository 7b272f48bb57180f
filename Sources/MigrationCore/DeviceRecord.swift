/// What is known of one device of the host, without opening it.
package struct DeviceRecord: Hashable, Sendable {
    package let id: DeviceID
    package let backend: Backend
    package let bus: Bus
    /// The bus's own name of it: `0000:41:00.3`, a UUID, `0.0.1234`.
    package let address: String
    /// The driver bound to it, if any.
    package var driver: String?
    package var iommuGroup: String?
    /// `/dev/vfio/devices/vfioN`, when the kernel has one for it.
    package var cdevPath: String?
    /// `/dev/vfio/<group>`.
    package var groupPath: String?
    package var vendorID: UInt32?
    package var deviceID: UInt32?
    package var subsystemVendorID: UInt32?
    package var subsystemDeviceID: UInt32?
    /// The NUMA node; nil when the kernel does not say.
    package var numaNode: Int?
    /// An mdev's parent, by the name of its directory.
    package var parent: String?
    package var mdevType: String?
    /// The state debugfs shows, where the kernel has it; reading it opens nothing.
    package var debugState: ReportedState?
    package var support: MigrationSupport
    package var simulation: SimulationFacts?

    package init(
        id: DeviceID,
        backend: Backend,
        bus: Bus,
        address: String,
        support: MigrationSupport = .unknown
    ) {
        self.id = id
        self.backend = backend
        self.bus = bus
        self.address = address
        self.support = support
    }

    /// The code that reaches the device.
    package enum Backend: String, Hashable, Sendable, Codable {
        case kernel
        case simulated
    }

    /// Where the device sits.
    package enum Bus: String, Hashable, Sendable, Codable {
        case pci
        case mdev
        case ccw
        case ap
        case platform
        case amba
        case fslMC = "fsl_mc"
        case cdx
        case simulated
    }
}

/// What a simulated device is made of, so that a test can tell what it must hold.
package struct SimulationFacts: Hashable, Sendable {
    package let profile: String
    package let seed: UInt64
    package let stateByteCount: UInt64
    package let dirtyBytesPerSecond: UInt64
    /// A digest over the content the device holds now, computed by the simulation itself and never
    /// by the code that moves it.
    ///
    /// Changes while a device with a dirty rate runs.
    package let contentDigest: String
    /// The same over the content when the device last went to STOP or STOP_COPY: what a source
    /// sent, what a target loaded.
    ///
    /// Nil when it never did.
    package let stoppedContentDigest: String?

    package init(
        profile: String,
        seed: UInt64,
        stateByteCount: UInt64,
        dirtyBytesPerSecond: UInt64,
        contentDigest: String,
        stoppedContentDigest: String? = nil
    ) {
        self.profile = profile
        self.seed = seed
        self.stateByteCount = stateByteCount
        self.dirtyBytesPerSecond = dirtyBytesPerSecond
        self.contentDigest = contentDigest
        self.stoppedContentDigest = stoppedContentDigest
    }
}

/// What a device can do for a migration.
package enum MigrationSupport: Hashable, Sendable {
    /// A state stream, with these flags.
    case stateStream(MigrationFlags)
    /// No stream: the configuration moves and the content is made anew (AP, CCW).
    case recreate
    /// The kernel answered ENOTTY, or the driver is known to have none.
    case none
    /// The flags cannot be read without opening the device.
    case unknown

    package var kind: String {
        switch self {
        case .stateStream: "state_stream"
        case .recreate: "recreate"
        case .none: "none"
        case .unknown: "unknown"
        }
    }

    /// The flags of a state stream.
    package var flags: MigrationFlags? {
        guard case .stateStream(let flags) = self else { return nil }
        return flags
    }
}

/// What a session's device holds.
package enum DeviceContent: String, Hashable, Sendable, Codable {
    /// Fresh from a reset: nothing anybody put there.
    case empty
    /// What its user put there and goes on changing.
    case live
    /// What a restore or a migrate put there.
    case loaded
    /// There was content, and a RESET, an ERROR, a last close or a reopen took it.
    case lost
}
