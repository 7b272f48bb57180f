import JobStore
import MigrationCore
import MigrationPorts
import SimulatedDevices
import StateTransfer
import Synchronization
import SystemIO

@testable import JobEngine

/// Devices, a directory and a keeper that outlive the daemon; daemons that die at a write.
///
/// A dead daemon reaches nothing any more: its store takes no write and its devices no call, as if
/// the process were gone in that moment.
final class MortalWorld: Sendable {
    let directory: String
    let simulated: SimulatedBackend
    /// The open devices, whoever has them: what a device's file is to the kernel.
    private let devices: [DeviceID: any DeviceSession]
    let keeper = MemoryKeeper()
    /// The one open file that all devices share beside their own, as an iommufd is; nil for none.
    let space: SharedDescriptor?

    init(_ directory: String, _ spec: String, isSpaceShared: Bool = false) throws {
        self.directory = directory
        space =
            isSpaceShared ? SharedDescriptor(try FileDescriptor(opening: "/dev/null", 0)) : nil
        simulated = try SimulatedBackend([try SimulationSpec.parse(spec)])
        devices = Dictionary(
            uniqueKeysWithValues: simulated.initialSessions().map { ($0.device, $0) }
        )
    }

    /// A daemon that dies at a write; nil for one that lives.
    func daemon(dyingAt death: Life.Death? = nil) throws -> (engine: Engine, life: Life) {
        let life = Life(death)
        let engine = try Engine(
            configuration: {
                var configuration = EngineConfiguration()
                configuration.abortTryLimit = 1
                return configuration
            }(),
            backends: [MortalBackend(self, life)],
            store: MortalStore(try SQLiteJobStore(path: directory + "/ferry.sqlite"), life),
            images: try ImageDirectory(path: directory + "/images"),
            clock: MachineClock(),
            keeper: keeper,
            kept: keeper.kept
        )
        return (engine, life)
    }

    func device(_ id: DeviceID) -> (any DeviceSession)? { devices[id] }
}

/// How long a daemon lives.
final class Life: Sendable {
    /// At a write of the journal, before it is made or right after.
    struct Death: Hashable, Sendable {
        let write: Int
        let isBefore: Bool
    }

    private struct State {
        var writes = 0
        var isCounting = false
        var isDead = false
    }

    private let death: Death?
    // Guards the count; a leaf.
    private let state = Mutex(State())

    init(_ death: Death?) { self.death = death }

    var isDead: Bool { state.withLock { $0.isDead } }
    var writeCount: Int { state.withLock { $0.writes } }

    /// Counts writes from here on.
    func start() { state.withLock { $0.isCounting = true } }

    /// Whether a write is made, and whether it is the last one.
    func willWrite() -> (isMade: Bool, isLast: Bool) {
        state.withLock { state in
            guard !state.isDead else { return (false, false) }
            guard state.isCounting else { return (true, false) }
            state.writes += 1
            guard let death, state.writes == death.write else { return (true, false) }
            if death.isBefore { state.isDead = true }
            return (!death.isBefore, !death.isBefore)
        }
    }

    func die() { state.withLock { $0.isDead = true } }
}

/// Holds files in memory, as a service manager does.
final class MemoryKeeper: FileKeeper {
    // Guards what is held; a leaf.
    private let held = Mutex<[SessionID: [KeptFile]]>([:])
    // Whether it takes no more; a leaf.
    private let isFull = Mutex(false)

    func takeNoMore() { isFull.withLock { $0 = true } }

    var kept: [KeptSession] {
        held.withLock { held in
            held.map { KeptSession(id: $0.key, files: $0.value) }.sorted { $0.id < $1.id }
        }
    }

    /// One open file is held once, by the name it came with first.
    func keep(_ files: [KeptFile], of session: SessionID) throws(Problem) {
        guard !isFull.withLock({ $0 }) else {
            throw Problem(.internalError, "the keeper is full")
        }
        held.withLock { held in
            for file in files {
                let isHeld = held.values.joined().contains { $0.file.isSameOpenFile(as: file.file) }
                if !isHeld { held[session, default: []].append(file) }
            }
        }
    }

    func letGo(_ names: [String], of session: SessionID) {
        held.withLock { held in
            held[session]?.removeAll { names.contains($0.name) }
            if held[session]?.isEmpty == true { held[session] = nil }
        }
    }
}

private final class MortalBackend: DeviceBackend {
    private let world: MortalWorld
    private let life: Life

    init(_ world: MortalWorld, _ life: Life) {
        self.world = world
        self.life = life
    }

    func devices() -> [DeviceRecord] { world.simulated.devices() }
    func device(_ id: DeviceID) -> DeviceRecord? { world.simulated.device(id) }
    func probe(_ id: DeviceID) throws(Problem) -> MigrationSupport {
        try world.simulated.probe(id)
    }
    func holders(of id: DeviceID) -> [Problem.Holder] { [] }

    var remakesContent: Bool { true }

    /// Only the first daemon finds devices nobody has opened.
    func initialSessions() -> [any DeviceSession] {
        guard world.keeper.kept.isEmpty else { return [] }
        return world.simulated.devices().compactMap { record in
            world.device(record.id).map { MortalSession($0, life, world.space) }
        }
    }

    func open(
        _ id: DeviceID,
        joining companion: (any DeviceSession)?
    ) throws(Problem) -> any DeviceSession {
        let session = try world.simulated.open(id, joining: nil)
        // What is opened alone is not given to the keeper, and dies with its daemon.
        return world.space == nil ? session : MortalSession(session, life, world.space)
    }

    func adopt(
        _ id: DeviceID,
        _ descriptors: consuming DeviceDescriptors
    ) throws(Problem) -> any DeviceSession {
        try world.simulated.adopt(id, descriptors)
    }

    func resume(_ id: DeviceID, _ files: [KeptFile]) throws(Problem) -> any DeviceSession {
        let names = world.space == nil ? ["device"] : ["device", "iommufd"]
        guard let session = world.device(id), files.map(\.name) == names else {
            throw Problem(.invalidField, "no such files")
        }
        return MortalSession(session, life, world.space)
    }
}

/// A session of one daemon's on a device that outlives it.
private final class MortalSession: DeviceSession {
    private let session: any DeviceSession
    private let life: Life
    private let space: SharedDescriptor?

    init(_ session: any DeviceSession, _ life: Life, _ space: SharedDescriptor?) {
        self.session = session
        self.life = life
        self.space = space
    }

    var device: DeviceID { session.device }
    var support: MigrationSupport { session.support }

    func state() throws(Errno) -> ReportedState { try alive().state() }
    func set(_ state: DeviceState) throws(Errno) -> (any MigrationStream)? {
        guard let stream = try alive().set(state) else { return nil }
        return MortalStream(stream, life)
    }
    func stopCopyByteCount() throws(Errno) -> UInt64 { try alive().stopCopyByteCount() }
    func detach() throws(Errno) { try alive().detach() }
    func reset() throws(Errno) { try alive().reset() }
    func onSignal(_ handler: @escaping @Sendable (DeviceSignal) -> Void) {
        session.onSignal(handler)
    }
    func duplicateDescriptors() throws(Errno) -> DeviceDescriptors? { nil }

    func keptFiles() throws(Errno) -> [KeptFile] {
        _ = try alive()
        let file = try FileDescriptor(opening: "/dev/null", 0)
        var files = [KeptFile(name: "device", file: SharedDescriptor(file))]
        if let space {
            let again = SharedDescriptor(try space.descriptor.duplicate())
            files.append(KeptFile(name: "iommufd", file: again))
        }
        return files
    }

    func close() { if !life.isDead { session.close() } }

    private func alive() throws(Errno) -> any DeviceSession {
        if life.isDead { throw .noDevice }
        return session
    }
}

private final class MortalStream: MigrationStream {
    private let stream: any MigrationStream
    private let life: Life

    init(_ stream: any MigrationStream, _ life: Life) {
        self.stream = stream
        self.life = life
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(Errno) -> Int {
        if life.isDead { throw .noDevice }
        return try unsafe stream.read(into: buffer)
    }

    func write(_ buffer: UnsafeRawBufferPointer) throws(Errno) -> Int {
        if life.isDead { throw .noDevice }
        return try unsafe stream.write(buffer)
    }

    func preCopyInfo() throws(Errno) -> PreCopyInfo {
        if life.isDead { throw .noDevice }
        return try stream.preCopyInfo()
    }

    func close() { if !life.isDead { stream.close() } }
}

/// A store that takes nothing from a dead daemon.
private final class MortalStore: JobStore {
    private let store: any JobStore
    private let life: Life

    init(_ store: any JobStore, _ life: Life) {
        self.store = store
        self.life = life
    }

    func apply(_ change: StoreChange, _ durability: Durability) throws(Problem) {
        let (isMade, isLast) = life.willWrite()
        guard isMade else { throw Problem(.storeFailed, "the daemon is dead") }
        try store.apply(change, durability)
        if isLast { life.die() }
    }

    func job(_ id: JobID) throws(Problem) -> Job? { try store.job(id) }
    func jobs(_ walk: JobWalk, where isWanted: (Job) -> Bool) throws(Problem) -> JobStretch {
        try store.jobs(walk, where: isWanted)
    }
    func checkpoint() throws(Problem) { if !life.isDead { try store.checkpoint() } }
    func unfinishedJobs() throws(Problem) -> [Job] { try store.unfinishedJobs() }
    func unresolvedJobs() throws(Problem) -> [Job] { try store.unresolvedJobs() }
    func sizes() -> StoreSizes { store.sizes() }
    func setDurations() throws(Problem) -> [SetDuration] { try store.setDurations() }
    func journal(
        of job: JobID,
        after sequence: Int64,
        limit: Int
    ) throws(Problem) -> [StoredJournalEntry] {
        try store.journal(of: job, after: sequence, limit: limit)
    }
    var storeID: String { store.storeID }
    func eventSpan() throws(Problem) -> EventSpan { try store.eventSpan() }
    func events(after sequence: Int64, limit: Int) throws(Problem) -> [StoredEvent] {
        try store.events(after: sequence, limit: limit)
    }
    func answer(to request: KeyedRequest.Name) throws(Problem) -> KeptAnswer? {
        try store.answer(to: request)
    }
    func answerCount() throws(Problem) -> Int { try store.answerCount() }
    func audit(
        from place: AuditPlace?,
        newestFirst: Bool,
        limit: Int
    ) throws(Problem) -> [StoredAuditRecord] {
        try store.audit(from: place, newestFirst: newestFirst, limit: limit)
    }
    func auditRecord(_ id: AuditID) throws(Problem) -> AuditRecord? { try store.auditRecord(id) }
    func unfinishedAudit() throws(Problem) -> [AuditRecord] { try store.unfinishedAudit() }
    func age() throws(Problem) -> StoreAge { try store.age() }
    func forget(_ retention: Retention, at age: StoreAge) throws(Problem) -> Forgotten {
        life.isDead ? Forgotten() : try store.forget(retention, at: age)
    }
    func sessions() throws(Problem) -> [SessionRecord] { try store.sessions() }
    func images() throws(Problem) -> [ImageRecord] { try store.images() }
}
