internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// The actions on images, and LOADED.
extension JobRunner {
    func verifyImage() throws(ActionFailure) {
        try naming { () throws(Problem) in
            guard let image = members.image else {
                throw Problem(.internalError, "The restore has no image.")
            }
            do throws(Problem) {
                let opened = try images.open(image)
                try opened.verify(shouldStop: { job.isInterrupted })
                members.setReader(try opened.reader(member: 0))
            } catch {
                // The reader knows that it was stopped, the job why.
                throw error.code == .cancelled ? job.interruption ?? error : error
            }
        }
    }

    func createImage() throws(ActionFailure) {
        try naming { () throws(Problem) in
            members.setWriter(try images.create(ImageID(job.id)))
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
                guard let writer = members.writer, let pump = members.pump else {
                    throw Problem(.internalError, "The save has written no image.")
                }
                let image = try imageRecord(try pump.end())
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

    private func imageRecord(_ end: EndRecord) throws(Problem) -> ImageRecord {
        let source = try members.session(.source)
        let save = job.job
        let now = clock.timestamp()
        var image = ImageRecord(
            id: ImageID(job.id),
            job: job.id,
            createdAt: now,
            members: [
                ImageRecord.Member(
                    of: source.facts,
                    flags: source.device.session.support.flags?.rawValue ?? 0,
                    byteCount: end.byteCount,
                    sha256: end.sha256
                )
            ],
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

    /// LOADED: counts and digests agree, and the target itself says STOP.
    func confirmLoaded() throws(ActionFailure) {
        let target = try session(.target).device
        do throws(Problem) {
            guard let pump = members.pump else {
                throw Problem(.internalError, "Nothing was loaded.")
            }
            let end = try pump.end()
            try members.reader?.finish(end)
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
