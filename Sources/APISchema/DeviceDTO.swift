/// One VFIO device of the host.
package struct DeviceDTO: Hashable, Sendable, Codable {
    package let id: String
    /// `kernel`, `simulated` or `vfio_user`.
    package let backend: String
    package let bus: String
    /// The bus's own name of it.
    package let address: String
    package var driver: String?
    package var iommuGroup: String?
    /// Path of the character device under `/dev/vfio/devices`.
    package var cdev: String?
    /// Path of the legacy group under `/dev/vfio`.
    package var group: String?
    /// `0x15b3`: hexadecimal with four digits.
    package var vendorID: String?
    package var deviceID: String?
    package var vendorName: String?
    package var deviceName: String?
    /// `vfio-pci`, `vfio-ccw`, …: what VFIO says it is, whatever its bus.
    package var deviceAPI: String?
    package var numaNode: Int?
    package var isolation: IsolationDTO?
    package var pci: PCIFactsDTO?
    package var mdev: MediatedFactsDTO?
    package var ccw: SubchannelFactsDTO?
    package var ap: MatrixFactsDTO?
    package var vfioUser: SocketFactsDTO?
    /// Left out for a device that VFIO has.
    package var candidate: CandidateDTO?
    package let migration: MigrationSupportDTO
    /// The last state the device reported, to Ferry or to debugfs: `running_p2p`.
    package var vfioState: String?
    /// The open session.
    package var session: String?
    /// What the session's device holds: `empty`, `live`, `loaded`, `lost`.
    package var content: String?
    /// The job that has the device to itself.
    package var lockedBy: String?
    /// The processes that have it open, but ferryd; only of a kernel's device that is shown alone.
    package var holders: [HolderDTO]?
    package var simulated: SimulationDTO?

    package init(
        id: String,
        backend: String,
        bus: String,
        address: String,
        migration: MigrationSupportDTO
    ) {
        self.id = id
        self.backend = backend
        self.bus = bus
        self.address = address
        self.migration = migration
    }
}

/// What a device can do for a migration.
package struct MigrationSupportDTO: Hashable, Sendable, Codable {
    /// `state_stream`, `recreate`, `none` or `unknown`.
    package let kind: String
    /// `stop_copy`, `p2p`, `pre_copy`: empty unless the kind is `state_stream`.
    package let flags: [String]
    /// How Ferry knows: `simulation`, `session`, `probe`, `debugfs` or `inferred`; left out when it
    /// does not.
    package let source: String?
    /// When the device was asked.
    package let probedAt: String?
    /// Why Ferry does not know, and does nothing about it; left out elsewhere.
    package let reason: String?

    package init(
        kind: String,
        flags: [String],
        source: String?,
        probedAt: String?,
        reason: String? = nil
    ) {
        self.kind = kind
        self.flags = flags
        self.source = source
        self.probedAt = probedAt
        self.reason = reason
    }
}

/// What a simulated device is made of.
package struct SimulationDTO: Hashable, Sendable, Codable {
    package let profile: String
    /// Decimal; a string, because a seed may exceed what JSON readers keep of a number.
    package let seed: String
    package let stateBytes: Int64
    package let dirtyBytesPerSecond: Int64
    /// Over the content the device holds now, computed by the simulation itself.
    package let contentDigest: String
    /// Over the content when the device last stopped: what a source sent, what a target loaded.
    package let stoppedContentDigest: String?

    package init(
        profile: String,
        seed: String,
        stateBytes: Int64,
        dirtyBytesPerSecond: Int64,
        contentDigest: String,
        stoppedContentDigest: String?
    ) {
        self.profile = profile
        self.seed = seed
        self.stateBytes = stateBytes
        self.dirtyBytesPerSecond = dirtyBytesPerSecond
        self.contentDigest = contentDigest
        self.stoppedContentDigest = stoppedContentDigest
    }
}
