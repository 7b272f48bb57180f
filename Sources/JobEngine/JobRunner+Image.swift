internal import MigrationCore
internal import MigrationPorts
internal import StateTransfer

/// The actions on images, and LOADED.
extension JobRunner {
    /// Reads the whole image, its members side by side, before a byte of it reaches a device.
    func verifyImage() -> TransferEvent {
        together(.verifyImage, members.all) { [self] member, alarm throws(ActionFailure) in
            try verify(member, alarm)
        }
    }

    private func verify(_ member: JobMember, _ alarm: SetAlarm) throws(ActionFailure) {
        guard let image = members.image else {
            throw ActionFailure(Problem(.internalError, "The restore has no image."))
        }
        do throws(Problem) {
            member.setReader(
                try images.open(
                    image,
                    member: member.imageMember ?? 0,
                    shouldStop: { job.isInterrupted || alarm.isOn }
                )
            )
        } catch {
            // The reader knows that it was stopped, the job why.
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
                let image = try imageRecord()
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

    private func imageRecord() throws(Problem) -> ImageRecord {
        ImageRecord(
            id: ImageID(job.id),
            job: job.id,
            createdAt: clock.timestamp(),
            members: try members.all.map { member throws(Problem) in
                try imageMember(of: member)
            },
            sourceResumed: job.spec.work.sourceRunsOn,
            kernelRelease: kernelRelease
        )
    }

    private func imageMember(of member: JobMember) throws(Problem) -> ImageRecord.Member {
        let source = try member.session(.source)
        guard let end = try member.pump?.end() else {
            throw Problem(.internalError, "Nothing was read of \(source.device.device).")
        }
        return ImageRecord.Member(
            device: source.device.device,
            driver: source.facts.driver,
            vendorID: source.facts.vendorID,
            deviceID: source.facts.deviceID,
            flags: source.device.session.support.flags?.rawValue ?? 0,
            byteCount: end.byteCount,
            sha256: end.sha256
        )
    }

    /// LOADED: counts and digests agree, and every target itself says STOP.
    func confirmLoaded() -> TransferEvent {
        together(.confirmLoaded, active(.target)) { [self] member, _ throws(ActionFailure) in
            try confirm(member)
        }
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
