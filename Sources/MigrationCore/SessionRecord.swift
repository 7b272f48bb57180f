/// A device ferryd holds, or held, open and bound.
package struct SessionRecord: Hashable, Sendable, Codable {
    package let id: SessionID
    package let device: DeviceID
    package let origin: Origin
    package var status: Status { didSet { dropStaleSidecar() } }
    package var content: DeviceContent { didSet { dropStaleSidecar() } }
    /// What the device's user keeps of it beside its state.
    ///
    /// It goes with the content: an ended session, a reset device and a lost content have none,
    /// until somebody puts one there.
    package var sidecar: Sidecar?
    /// Whether the content is what the simulation's seed makes, so that overwriting it loses
    /// nothing.
    ///
    /// False for every real device.
    package var isReproducible: Bool
    package let openedAt: Timestamp
    package var closedAt: Timestamp?
    /// Why it ended, or what happened to its device or content: one sentence.
    package var note: String?
    /// The image for which the device was stopped: it is where the content goes on from, and the
    /// device itself must not run again beside it.
    package var stoppedImage: ImageID?
    /// The job that was resolved to nobody: its content may not run, here or where it went.
    package var barredBy: JobID?
    /// The session whose address space the device joined.
    package var joins: SessionID?

    package init(
        id: SessionID,
        device: DeviceID,
        origin: Origin,
        content: DeviceContent,
        isReproducible: Bool,
        openedAt: Timestamp
    ) {
        self.id = id
        self.device = device
        self.origin = origin
        self.status = .open
        self.content = content
        self.isReproducible = isReproducible
        self.openedAt = openedAt
    }

    /// Says that the content may not run any more, by what a job was resolved to.
    package mutating func bar(by job: JobID) {
        barredBy = job
        note = "Job \(job) was resolved to nobody: the content may not run."
    }

    private mutating func dropStaleSidecar() {
        if status != .open || content == .empty || content == .lost { sidecar = nil }
    }

    /// Who opened the device.
    package enum Origin: String, Hashable, Sendable, Codable {
        /// ferryd did: the content started empty.
        case opened
        /// Its user handed the open descriptors in.
        case adopted
        /// The simulation starts with it.
        case simulated
    }

    /// How the session stands.
    package enum Status: String, Hashable, Sendable, Codable {
        case open
        /// The device's user collected the descriptors.
        case collected
        /// ferryd closed it: on request, or after its content moved away.
        case closed
        /// The daemon died with it, or the device went.
        case lost
    }
}
