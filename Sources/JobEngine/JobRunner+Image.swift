internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// The actions on images, and LOADED.
extension JobRunner {
    /// Verifies the whole image before a byte of it reaches a device.
    ///
    /// The job's workers share its members out.
    func verifyImage() -> TransferEvent {
        let opened = openImage()
        let event = together(.verifyImage, members.all) {
            [self] member, alarm throws(ActionFailure) in
            let image = try naming { () throws(Problem) in try opened.get() }
            try verify(image, member, alarm)
        }
        guard event == .done else { return event }
        do throws(Problem) {
            let image = try opened.get()
            for member in members.all {
                let place = member.imageMember ?? 0
                member.setReader(try image.reader(member: place))
                member.setSidecar(try image.sidecar(member: place))
            }
            return event
        } catch {
            return .failed(FailedAction(error))
        }
    }

    private func openImage() -> Result<OpenImage, Problem> {
        do throws(Problem) {
            guard let image = members.image else {
                throw Problem(.internalError, "The restore has no image.")
            }
            return .success(try images.open(image))
        } catch {
            return .failure(error)
        }
    }

    private func verify(
        _ image: OpenImage,
        _ member: JobMember,
        _ alarm: SetAlarm
    ) throws(ActionFailure) {
        let places = stride(
            from: member.number,
            to: image.record.members.count,
            by: members.all.count
        )
        do throws(Problem) {
            for place in places {
                try image.verify(
                    member: place,
                    shouldStop: { job.isInterrupted || alarm.isOn }
                )
            }
        } catch {
            // The image knows that it was stopped, the job why.
            let isStopped = error.code == .cancelled
            throw ActionFailure(
                isStopped ? job.interruption ?? error : error,
                isStopped: isStopped
            )
        }
    }

    func createImage() throws(ActionFailure) {
        try naming { () throws(Problem) in
            members.setWriter(
                try images.create(ImageID(job.id), memberCount: members.all.count)
            )
        }
    }

    func discardImage() throws(ActionFailure) {
        try naming { () throws(Problem) in try members.writer?.discard() }
    }

    /// Makes the image durable.
    ///
    /// The line of its outcome comes with the catalogue's entry in one transaction, so that a save
    /// that is taken back never leaves an image, nor an image a save that is not known to be done.
    func sealImage() -> TransferEvent {
        plain(.sealImage) { () throws(ActionFailure) in
            try naming { () throws(Problem) in
                guard let writer = members.writer else {
                    throw Problem(.internalError, "The save has written no image.")
                }
                // What fails is remembered, and the seal tells it.
                _ = crew.each(members.all) { member in
                    try? writer.synchronize(member: member.number)
                }
                let image = try imageRecord(writer)
                try writer.seal(image)
                members.setSealed(image)
            }
        } concludedBy: { line throws(Problem) in
            guard let image = members.sealed else { return }
            let event = Event(at: clock.timestamp(), topic: .imageChanged(image.id, exists: true))
            do throws(Problem) {
                try job.record(
                    [line],
                    .machine,
                    with: StoreChange(savedImages: [image], events: [event])
                ) { $0.image = image.id }
            } catch {
                // An image that the catalogue does not know must not stay behind.
                members.setSealed(nil)
                try? images.delete(image.id)
                throw error
            }
        }
    }

    /// What the commit of a restore says of its image: from then on its content may run, so that
    /// the next restore of it makes a copy.
    func imageInUse() -> StoreChange {
        guard var image = members.image else { return StoreChange() }
        image.sourceResumed = true
        return StoreChange(savedImages: [image])
    }

    private func imageRecord(_ writer: ImageWriter) throws(Problem) -> ImageRecord {
        let save = job.job
        let now = clock.timestamp()
        var image = ImageRecord(
            id: ImageID(job.id),
            job: job.id,
            createdAt: now,
            members: try members.all.map { member throws(Problem) in
                try imageMember(of: member, writer)
            },
            sourceResumed: job.spec.work.sourceRunsOn,
            kernelRelease: kernelRelease
        )
        image.machine = SystemNames.current.machine
        image.ferryVersion = version
        image.save = ImageRecord.SaveTimes(
            createdAt: save.createdAt,
            startedAt: save.startedAt,
            finishedAt: now
        )
        return image
    }

    private func imageMember(
        of member: JobMember,
        _ writer: ImageWriter
    ) throws(Problem) -> ImageRecord.Member {
        let source = try member.session(.source)
        guard let end = try member.pump?.end() else {
            throw Problem(.internalError, "Nothing was read of \(source.device.device).")
        }
        var sidecar: ImageRecord.SidecarFile?
        if let bytes = member.sidecar {
            sidecar = try writer.writeSidecar(member: member.number, bytes)
        }
        return ImageRecord.Member(
            of: source.facts,
            flags: source.device.session.support.flags?.rawValue ?? 0,
            byteCount: end.byteCount,
            sha256: end.sha256,
            sidecar: sidecar
        )
    }

    /// LOADED: counts and digests agree, and every target itself says STOP.
    ///
    /// The sidecars go where the content goes, with the line that says so: before the commit, so
    /// that a daemon that comes back to a started target has them. A reset takes them away again.
    func confirmLoaded() -> TransferEvent {
        let targets = active(.target)
        let event = together(.confirmLoaded, targets, storing: sidecars(for: targets)) {
            [self] member, _ throws(ActionFailure) in
            try confirm(member)
        }
        guard event == .done else { return event }
        for member in targets { _ = member.target?.update { $0.sidecar = member.sidecar } }
        return event
    }

    private func sidecars(for targets: [JobMember]) -> StoreChange {
        var change = StoreChange()
        let now = clock.timestamp()
        for member in targets {
            guard var record = member.target?.record, record.sidecar != member.sidecar else {
                continue
            }
            record.sidecar = member.sidecar
            let one = StoreChange(record, at: now)
            change.sessions += one.sessions
            change.events += one.events
        }
        return change
    }

    private func confirm(_ member: JobMember) throws(ActionFailure) {
        let target = try session(member, .target).device
        do throws(Problem) {
            guard let pump = member.pump else {
                throw Problem(.internalError, "Nothing was loaded into \(target.device).")
            }
            let end = try pump.end()
            try member.reader?.finish(end)
            let state = try target.currentState()
            guard state == .known(.stop) else {
                throw Problem(
                    .deviceFailed,
                    "\(target.device) says \(state.kernelName) after its load, not STOP.",
                    Problem.Facts(device: target.device)
                )
            }
        } catch {
            throw ActionFailure(error, side: .target, state: target.lastState)
        }
    }
}
