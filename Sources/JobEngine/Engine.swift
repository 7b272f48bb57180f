internal import Dispatch
package import MigrationCore
package import MigrationPorts
package import StateTransfer
internal import Synchronization

/// The daemon's work, behind one door.
///
/// Calls marked *blocking* do ioctls, fsyncs or cold reads and belong on ``perform(_:)``; the
/// others read memory and may run on an HTTP thread.
///
/// Order of locks: device locks, then a job's `writer`, then the store's own, then the leaves
/// (tables, records, feed). Device locks are flags, not mutexes: nobody waits for one.
package final class Engine: Sendable {
    package let configuration: EngineConfiguration
    let backends: Backends
    let store: any JobStore
    let imageFiles: ImageDirectory
    let clock: any HostClock
    let startedAt: Timestamp
    /// The same on the monotonic clock.
    let startedAtNanoseconds: UInt64
    /// How old the store was then.
    let ageAtStart: StoreAge
    /// Who holds the files of sessions over the daemon's death, if anybody does.
    let keeper: (any FileKeeper)?
    /// Kept files of sessions the store does not know: held, and nothing else done to them.
    package let orphans: [KeptSession]
    /// Jobs that somebody resolves or deletes just now.
    ///
    /// A leaf.
    let resolving = Mutex<Set<JobID>>([])
    /// Sessions whose files the keeper was told to let go.
    ///
    /// Held while the keeper is told, so that it is told in order; nothing else is taken inside but
    /// leaves.
    let unheld = Mutex<Set<SessionID>>([])
    /// Why sessions whose files were kept are not open again.
    package let revivalFailures: [SessionID: Problem]
    /// What the daemon before this one left.
    package let recovery: Recovery

    let workers: WorkerPool
    let commands: CommandPool
    let locks: DeviceLocks
    let metrics = EngineMetrics()
    let feed = ChangeFeed()
    /// What changes, for those who follow it.
    package let events: EventFeed
    let sessionTable: SessionTable
    let jobTable: JobTable
    let catalogue = ImageCatalogue()
    let uploads: UploadTable
    let downloads: Turns
    let verifications: Turns
    let changes: Turns
    let keyedRequests: KeyedRequests
    /// Outcomes that the store did not take.
    ///
    /// A leaf.
    let owedAudit = Mutex<[AuditRecord]>([])
    /// How many outcomes were kept since old ones were last forgotten for them.
    let auditCount = Atomic(0)
    /// Changes that the daemon before this one died in, as it left them.
    package let unfinishedChanges: [AuditRecord]
    /// Devices whose sessions end when the job on them has, because somebody waits for them.
    ///
    /// A leaf lock.
    let leaving = Mutex<Set<DeviceID>>([])
    /// What went wrong with devices when the daemon started.
    ///
    /// A leaf lock.
    let startProblems = Mutex<[Problem]>([])
    /// While it is set no job and no session begins.
    ///
    /// A leaf lock.
    let isStopping = Mutex(false)
    /// What was learned of how long SETs take.
    ///
    /// A leaf lock.
    let setDurations: Mutex<SetDurations>
    /// When the jobs that run have to be complete.
    ///
    /// A leaf lock.
    let deadlines = Mutex<[JobID: JobDeadline]>([:])
    /// Where the limits of jobs fire; they wait for a job's `writer` at most.
    let timers = DispatchQueue(label: "ferry.timers")
    /// When the store is tidied up next.
    ///
    /// A leaf lock.
    let tidying = Mutex<OneShotTimer?>(nil)
    /// Where a stop does its work.
    let stopping = DispatchQueue(label: "ferry.stopping")

    /// Settles what an earlier daemon left, and opens the sessions that backends start with.
    ///
    /// Blocking. Throws `store-failed` or `storage-failed`.
    package init(
        configuration: EngineConfiguration,
        backends: [any DeviceBackend],
        store: any JobStore,
        images: ImageDirectory,
        clock: any HostClock,
        keeper: (any FileKeeper)? = nil,
        kept: [KeptSession] = []
    ) throws(Problem) {
        self.configuration = configuration
        self.backends = Backends(all: backends)
        let store = MeasuredStore(store, clock: clock, metrics: metrics)
        self.store = store
        self.locks = DeviceLocks(refusals: metrics.lockRefusals)
        self.imageFiles = images
        self.clock = clock
        self.events = EventFeed(store: store, configuration: configuration, clock: clock)
        self.keeper = keeper
        self.startedAt = clock.timestamp()
        self.startedAtNanoseconds = clock.monotonicNanoseconds()
        self.ageAtStart = try store.age()
        self.workers = WorkerPool(
            workerCount: configuration.workerCount,
            waitingLimit: configuration.queuedJobLimit
        )
        self.commands = CommandPool(
            queueCount: configuration.commandQueueCount,
            pendingLimit: configuration.pendingCommandLimit
        )
        self.jobTable = JobTable(recentLimit: configuration.recentJobLimit)
        self.uploads = UploadTable(
            limit: configuration.uploadLimit,
            hours: configuration.uploadHours
        )
        self.downloads = Turns(configuration.downloadLimit, of: "images are downloaded")
        self.verifications = Turns(configuration.verificationLimit, of: "images are verified")
        self.changes = Turns(configuration.changeLimit, of: "devices are being changed")
        self.sessionTable = SessionTable(endedLimit: configuration.retainedSessionLimit)
        self.keyedRequests = KeyedRequests(
            count: try store.answerCount(),
            limit: configuration.keptAnswerLimit
        )
        self.unfinishedChanges = try store.unfinishedAudit()
        self.setDurations = Mutex(SetDurations(try store.setDurations()))
        let revival = Revival(
            kept,
            records: try store.sessions(),
            backends: self.backends,
            clock: clock
        )
        self.recovery = try Recovery.run(
            store: store,
            images: images,
            clock: clock,
            revived: revival.sessions,
            held: revival.failures
        )
        self.orphans = revival.orphans
        self.revivalFailures = revival.failures
        for one in revival.ended { keeper?.letGo(one.files.map(\.name), of: one.id) }
        sessionTable.insertEnded(recovery.sessions)
        catalogue.insert(recovery.images)
        uploads.insert(try images.uploads())
        takeUp(recovery)
        try openInitialSessions()
        settleChanges(unfinishedChanges)
        tidyRegularly()
        followDevices()
    }

    /// Runs blocking work on a small pool; throws `overloaded` when its queue is full.
    package func perform(_ work: @escaping @Sendable () -> Void) throws(Problem) {
        do throws(Problem) {
            try commands.perform(work)
        } catch {
            metrics.overloads.of("commands").add()
            throw error
        }
    }

    /// Of the clock the engine measures by.
    package func monotonicNanoseconds() -> UInt64 { clock.monotonicNanoseconds() }

    package func host() -> HostView {
        let names = SystemNames.current
        return HostView(
            hostname: names.hostname,
            kernelRelease: names.kernelRelease,
            machine: names.machine,
            version: configuration.version,
            startedAt: startedAt,
            workerCount: workers.workerCount,
            workersBusy: workers.busyCount
        )
    }

    /// Whether work would be taken.
    ///
    /// Blocking: asks the store.
    package func readiness() -> Readiness {
        var storeFailure: String?
        do throws(Problem) { _ = try store.unfinishedJobs() } catch { storeFailure = error.detail }
        let stopping = isStopping.withLock { $0 } ? "The daemon is stopping." : nil
        return Readiness(checks: [("store", storeFailure), ("accepting_jobs", stopping)])
    }

    // MARK: Devices

    /// Every device of every backend, sorted by id.
    ///
    /// Blocking.
    package func devices() -> [DeviceView] { views(of: backends.records[...]) }

    /// Those devices that `choose` picks, of all by id.
    ///
    /// Blocking.
    package func devices(
        choosing choose: ([DeviceRecord]) throws(Problem) -> ArraySlice<DeviceRecord>
    ) throws(Problem) -> [DeviceView] {
        views(of: try choose(backends.records))
    }

    private func views(of records: ArraySlice<DeviceRecord>) -> [DeviceView] {
        let sessions = sessionTable.openByDevice
        let holders = locks.all
        return records.map { view($0, sessions[$0.id], holders.isEmpty ? nil : holders[$0.id]) }
    }

    /// A device of which memory alone tells everything; nil when only looking can tell.
    package func rememberedDevice(_ id: DeviceID) -> DeviceView? {
        for backend in backends.all {
            if let record = backend.rememberedDevice(id) { return view(record) }
        }
        return nil
    }

    /// One device, with those who have it open.
    ///
    /// Blocking. Throws `not-found`.
    package func device(_ id: DeviceID) throws(Problem) -> DeviceView {
        let (backend, record) = try backends.owner(of: id)
        var view = view(record)
        // Nobody else can have one that is simulated.
        if record.backend == .kernel { view.holders = backend.holders(of: id) }
        return view
    }

    /// Asks a device for its migration support: an idle one by opening it, which may reset it.
    ///
    /// Blocking. Throws `not-found`, `device-busy`.
    package func probe(_ id: DeviceID) throws(Problem) -> DeviceView {
        let (backend, _) = try backends.owner(of: id)
        if sessionTable.open(on: id) == nil {
            try locks.holding(id, "it is being probed") { () throws(Problem) in
                _ = try backend.probe(id)
            }
        }
        return try device(id)
    }

    private func view(_ record: DeviceRecord) -> DeviceView {
        view(record, sessionTable.open(on: record.id), locks.holder(of: record.id))
    }

    private func view(
        _ record: DeviceRecord,
        _ session: OpenSession?,
        _ holder: DeviceLocks.Holder?
    ) -> DeviceView {
        var record = record
        if let support = session?.device.session.support, support != record.support {
            record.support = support
        }
        var lockedBy: JobID?
        switch holder {
        case .job(let job)?, .indeterminate(let job)?: lockedBy = job
        default: break
        }
        return DeviceView(
            record: record,
            shared: session?.shared,
            lockedBy: lockedBy,
            lastState: session?.device.lastState
        )
    }

    // MARK: Images

    /// The images there are, newest first.
    package func images() -> [ImageRecord] { catalogue.all }

    /// One image.
    ///
    /// Throws `not-found`, and `image-not-ready` while it comes in.
    package func image(_ id: ImageID) throws(Problem) -> ImageRecord {
        if let record = catalogue.record(id) { return record }
        try uploads.checkNoUpload(of: id)
        var facts = Problem.Facts()
        facts.image = id
        throw Problem(.notFound, "There is no image \(id).", facts)
    }

    /// Removes an image and its bytes, or what an upload that broke off left.
    ///
    /// Blocking. Throws `not-found`, `image-busy` while a job reads it, an upload writes it
    /// or somebody removes it. Who downloads or verifies it reads on.
    package func deleteImage(_ id: ImageID) throws(Problem) {
        if try uploads.takeAway(id) { return try discardUpload(of: id) }
        defer { uploads.end(id) }
        let record = try catalogue.remove(id)
        let now = clock.timestamp()
        var change = StoreChange(deletedImages: [id])
        change.events.append(Event(at: now, topic: .imageChanged(id, exists: false)))
        // Of an image that nothing ran of, what it was made of is the only content there is again.
        let freed = sessionTable.allOpen.filter {
            $0.record.stoppedImage == id && !record.sourceResumed
        }
        for session in freed {
            var record = session.record
            record.stoppedImage = nil
            let one = StoreChange(record, at: now)
            change.sessions += one.sessions
            change.events += one.events
        }
        do throws(Problem) {
            // The catalogue first: bytes nobody knows of are named by the next start, an image
            // without bytes would be found out only by the restore that needs it.
            try events.telling { () throws(Problem) in
                try store.apply(change, .machine)
                for session in freed { _ = session.update { $0.stoppedImage = nil } }
            }
        } catch {
            catalogue.insert([record])
            throw error
        }
        try imageFiles.delete(id)
    }
}
