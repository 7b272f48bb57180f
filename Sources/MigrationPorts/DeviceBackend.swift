package import MigrationCore

/// The code that reaches one kind of device.
package protocol DeviceBackend: Sendable {
    /// The devices there are now, sorted by id.
    ///
    /// Bounded reads; opens nothing, disturbs nothing.
    func devices() -> [DeviceRecord]

    /// One device, or nil when there is none of that id now.
    func device(_ id: DeviceID) -> DeviceRecord?

    /// Tells of every change of the list from now on, one after another, on a thread of the
    /// backend's own.
    ///
    /// `onChange` may block, and gives whether it took what it was told: that is told again when it
    /// did not. The state of a device, and what was learned of it by opening it, are no such change.
    /// Called once.
    func observe(_ onChange: @escaping @Sendable (DeviceChanges) -> Bool)

    /// What memory alone tells of a device, all of it and as it is now; nil when only a look at the
    /// system, or a wait for somebody else, can tell.
    ///
    /// Never blocks.
    func rememberedDevice(_ id: DeviceID) -> DeviceRecord?

    /// Opens and binds a device.
    ///
    /// For a real one this may reset it. With `companion` the device joins that session's address
    /// space (the same iommufd and IOAS).
    ///
    /// Throws `device-busy` with the holders, `device-gone`, `permission-denied`,
    /// `device-failed`; always with the device, the call and its errno.
    func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession

    /// Takes over a device its user opened and bound.
    ///
    /// The descriptors are checked to be what they are said to be; a device without descriptors
    /// refuses with `invalid-field`.
    func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession

    /// Makes a session again of the files a dead daemon's session of this device had
    /// (``DeviceSession/keptFiles()``), without opening or resetting anything.
    ///
    /// The files are checked to be what they are said to be; throws `invalid-field` when they are
    /// not, `device-gone` for a device that went meanwhile.
    func resume(_ id: DeviceID, _ files: [KeptFile]) throws(Problem) -> any DeviceSession

    /// Opens an idle device, asks for its migration support, closes it: the answer is kept and
    /// `device(_:)` shows it.
    ///
    /// May reset the device.
    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport

    /// The other processes that have the device open.
    ///
    /// Reads /proc; may take milliseconds.
    func holders(of id: DeviceID) -> [Problem.Holder]

    /// Changes a device's place on the host; what failed half way is taken back.
    ///
    /// Blocks for as long as the kernel needs, and for ever when somebody keeps the device open.
    /// Nobody else may change the device meanwhile. Throws `change-refused` and `force-required`
    /// with every reason, `device-busy` with the holders, `kernel-refused` with the file and its
    /// errno, `invalid-field`.
    func change(_ id: DeviceID, _ change: DeviceChange) throws(Problem)

    /// Where a device is on the host now; nil for one that is not there, or has no such place.
    ///
    /// Bounded reads.
    func place(of id: DeviceID) -> DevicePlace?

    /// Looks at what a dead daemon left of a change, and takes it back where it was in the middle.
    ///
    /// `before` is where the device was when that daemon began. Nil when there is no such device.
    /// Blocks like ``change(_:_:)``, and throws what it does: nothing is touched that somebody has
    /// open, that somebody else has changed since, or that could not be had back without force.
    func settle(
        _ action: AuditRecord.Action,
        of id: DeviceID,
        before: DevicePlace?
    ) throws(Problem) -> ChangeRemains?

    /// The types of mediated devices that can be made, by parent and type.
    ///
    /// Bounded reads.
    func mediatedTypes() -> [MediatedType]

    /// Makes a mediated device; nil when no parent of this backend's is meant.
    ///
    /// Blocks like ``change(_:_:)``, and throws what it does.
    func create(_ request: MediatedRequest) throws(Problem) -> DeviceID?

    /// The device that was made with this UUID, if there is one.
    func mediatedDevice(_ uuid: String) -> DeviceID?

    /// The devices the backend opened by itself when it started (simulated ones).
    func initialSessions() -> [any DeviceSession]

    /// Whether the next start makes the content of those sessions again, so that overwriting it
    /// loses nothing.
    var remakesContent: Bool { get }
}

extension DeviceBackend {
    /// A backend whose list never changes.
    package func observe(_ onChange: @escaping @Sendable (DeviceChanges) -> Bool) {}

    /// A backend that has to look.
    package func rememberedDevice(_ id: DeviceID) -> DeviceRecord? { nil }

    /// A backend whose devices have no place on the host that could change.
    package func change(_ id: DeviceID, _ change: DeviceChange) throws(Problem) {
        var facts = Problem.Facts(device: id)
        facts.reasons = ["It is no device of the host's: it has no driver."]
        throw Problem(.changeRefused, "\(id) cannot be changed.", facts)
    }

    /// A backend whose devices have no place on the host.
    package func place(of id: DeviceID) -> DevicePlace? { nil }

    /// A backend whose devices have no place on the host that could have changed.
    package func settle(
        _ action: AuditRecord.Action,
        of id: DeviceID,
        before: DevicePlace?
    ) throws(Problem) -> ChangeRemains? { nil }

    /// A backend that makes no devices.
    package func mediatedTypes() -> [MediatedType] { [] }

    /// A backend that makes no devices.
    package func create(_ request: MediatedRequest) throws(Problem) -> DeviceID? { nil }

    /// A backend that makes no devices.
    package func mediatedDevice(_ uuid: String) -> DeviceID? { nil }

    /// A backend whose devices hold what nobody can make again.
    package var remakesContent: Bool { false }
}
