/// What is known of one device of the host, without opening it.
///
/// Behind one reference, because lists of a thousand devices are copied and compared all the time
/// and most devices are what they were: a copy costs a retain, and a record equals itself at once.
package struct DeviceRecord: Hashable, Sendable {
    private var facts: Facts

    /// Everything there is to know of a device.
    package struct Details: Hashable, Sendable {
        package let id: DeviceID
        package let backend: Backend
        package let bus: Bus
        package let address: String
        package var driver: String?
        package var iommuGroup: String?
        package var cdevPath: String?
        package var groupPath: String?
        package var vendorID: UInt32?
        package var deviceID: UInt32?
        package var subsystemVendorID: UInt32?
        package var subsystemDeviceID: UInt32?
        package var numaNode: Int?
        package var deviceAPI: String?
        package var names: HardwareNames?
        package var isolation: IsolationFacts?
        package var pci: PCIFacts?
        package var mediated: MediatedFacts?
        package var subchannel: SubchannelFacts?
        package var matrix: MatrixFacts?
        package var socket: SocketFacts?
        package var candidate: CandidateFacts?
        package var debugState: ReportedState?
        package var support: MigrationSupport
        package var supportSource: SupportSource?
        package var listedOnly: String?
        package var simulation: SimulationFacts?
    }

    /// Never changes, so that whoever shares it may read it.
    private final class Facts: Sendable {
        let fields: Details

        init(_ fields: Details) { self.fields = fields }
    }

    package init(
        id: DeviceID,
        backend: Backend,
        bus: Bus,
        address: String,
        support: MigrationSupport = .unknown
    ) {
        facts = Facts(
            Details(id: id, backend: backend, bus: bus, address: address, support: support)
        )
    }

    package static func == (left: Self, right: Self) -> Bool {
        left.facts === right.facts || left.facts.fields == right.facts.fields
    }

    package func hash(into hasher: inout Hasher) { facts.fields.hash(into: &hasher) }

    /// Changes any number of facts, at the price of one.
    package mutating func change(_ change: (inout Details) -> Void) {
        var fields = facts.fields
        change(&fields)
        facts = Facts(fields)
    }

    package var id: DeviceID { facts.fields.id }

    package var backend: Backend { facts.fields.backend }

    package var bus: Bus { facts.fields.bus }

    /// The bus's own name of it: `0000:41:00.3`, a UUID, `0.0.1234`, the path of a socket.
    package var address: String { facts.fields.address }

    /// The driver bound to it, if any.
    package var driver: String? {
        get { facts.fields.driver }
        set { change { $0.driver = newValue } }
    }

    package var iommuGroup: String? {
        get { facts.fields.iommuGroup }
        set { change { $0.iommuGroup = newValue } }
    }

    /// `/dev/vfio/devices/vfioN`, when the kernel has one for it.
    package var cdevPath: String? {
        get { facts.fields.cdevPath }
        set { change { $0.cdevPath = newValue } }
    }

    /// `/dev/vfio/<group>`.
    package var groupPath: String? {
        get { facts.fields.groupPath }
        set { change { $0.groupPath = newValue } }
    }

    package var vendorID: UInt32? {
        get { facts.fields.vendorID }
        set { change { $0.vendorID = newValue } }
    }

    package var deviceID: UInt32? {
        get { facts.fields.deviceID }
        set { change { $0.deviceID = newValue } }
    }

    package var subsystemVendorID: UInt32? {
        get { facts.fields.subsystemVendorID }
        set { change { $0.subsystemVendorID = newValue } }
    }

    package var subsystemDeviceID: UInt32? {
        get { facts.fields.subsystemDeviceID }
        set { change { $0.subsystemDeviceID = newValue } }
    }

    /// The NUMA node; nil when the kernel does not say.
    package var numaNode: Int? {
        get { facts.fields.numaNode }
        set { change { $0.numaNode = newValue } }
    }

    /// What kind of device VFIO says it is, whatever its bus: `vfio-pci`, `vfio-ccw`, ….
    package var deviceAPI: String? {
        get { facts.fields.deviceAPI }
        set { change { $0.deviceAPI = newValue } }
    }

    package var names: HardwareNames? {
        get { facts.fields.names }
        set { change { $0.names = newValue } }
    }

    package var isolation: IsolationFacts? {
        get { facts.fields.isolation }
        set { change { $0.isolation = newValue } }
    }

    package var pci: PCIFacts? {
        get { facts.fields.pci }
        set { change { $0.pci = newValue } }
    }

    package var mediated: MediatedFacts? {
        get { facts.fields.mediated }
        set { change { $0.mediated = newValue } }
    }

    package var subchannel: SubchannelFacts? {
        get { facts.fields.subchannel }
        set { change { $0.subchannel = newValue } }
    }

    package var matrix: MatrixFacts? {
        get { facts.fields.matrix }
        set { change { $0.matrix = newValue } }
    }

    /// What is found under the path of a vfio-user device.
    package var socket: SocketFacts? {
        get { facts.fields.socket }
        set { change { $0.socket = newValue } }
    }

    /// Nil for a device that VFIO has.
    package var candidate: CandidateFacts? {
        get { facts.fields.candidate }
        set { change { $0.candidate = newValue } }
    }

    /// The state debugfs shows, where the kernel has it; reading it opens nothing.
    package var debugState: ReportedState? {
        get { facts.fields.debugState }
        set { change { $0.debugState = newValue } }
    }

    package var support: MigrationSupport {
        get { facts.fields.support }
        set { change { $0.support = newValue } }
    }

    /// Nil for simulated devices, and where nothing is known.
    package var supportSource: SupportSource? {
        get { facts.fields.supportSource }
        set { change { $0.supportSource = newValue } }
    }

    package var simulation: SimulationFacts? {
        get { facts.fields.simulation }
        set { change { $0.simulation = newValue } }
    }

    /// Why Ferry lists the device and does nothing else with it; nil for one that it uses.
    package var listedOnly: String? {
        get { facts.fields.listedOnly }
        set { change { $0.listedOnly = newValue } }
    }

    /// The code that reaches the device.
    package enum Backend: String, Hashable, Sendable, Codable {
        case kernel
        case simulated
        case vfioUser = "vfio_user"
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
        /// No bus at all: a program is behind a UNIX socket.
        case vfioUser = "vfio_user"
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
